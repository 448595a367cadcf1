//! What is done with scripts and functions.

/// What a command of the group "scripting" does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// EVAL: runs the script that it carries.
    Run,
    /// EVALSHA: runs a script that was loaded.
    RunLoaded,
    /// FCALL: runs a function of a library.
    Call,
    /// SCRIPT LOAD.
    Load,
    /// SCRIPT EXISTS.
    Exists,
    /// SCRIPT FLUSH.
    Flush,
    /// SCRIPT KILL and FUNCTION KILL.
    Kill,
    /// FUNCTION LOAD.
    LoadLibrary,
    /// FUNCTION DELETE.
    DeleteLibrary,
    /// FUNCTION FLUSH.
    FlushLibraries,
    /// FUNCTION RESTORE.
    RestoreLibraries,
    /// FUNCTION STATS.
    Stats,
}

impl Script {
    /// The one that the table calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "run" => Self::Run,
            "run-loaded" => Self::RunLoaded,
            "call" => Self::Call,
            "load" => Self::Load,
            "exists" => Self::Exists,
            "flush" => Self::Flush,
            "kill" => Self::Kill,
            "load-library" => Self::LoadLibrary,
            "delete-library" => Self::DeleteLibrary,
            "flush-libraries" => Self::FlushLibraries,
            "restore-libraries" => Self::RestoreLibraries,
            "stats" => Self::Stats,
            _ => return None,
        })
    }

    /// For the page of commands.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Run => "by key",
            Self::RunLoaded => "by key; the shard is given the script if it lacks it",
            Self::Call => "by key; the shard is given the libraries that it lacks",
            Self::Load => "all shards, the first success; kept for shards that lack it",
            Self::Exists => "all shards and the scripts that are kept",
            Self::Kill => "all shards, each on a link of its own; the first success",
            Self::Stats => "all shards, each on a link of its own; one that runs a script",
            Self::LoadLibrary => "all shards, success if all succeed; kept for shards that lack it",
            Self::Flush | Self::DeleteLibrary | Self::FlushLibraries | Self::RestoreLibraries => {
                "all shards, success if all succeed"
            }
        }
    }
}
