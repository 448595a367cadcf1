//! Replies come in the order of the commands, whatever shard they come from.
