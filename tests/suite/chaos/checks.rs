//! The parts of the checker, each fed with what it must notice and with what it must let pass.

use super::record::{Outcome, Record, Rule};
use super::shared::Shared;
use super::state::Op;
use super::talk::Heard;
use super::value::Chunk;
use crate::harness::Reply;

const KEY: &str = "c0-s0.1";

fn chunk(sequence: u64) -> Chunk {
    Chunk { sequence, filler: 2 }
}

fn value(sequence: u64) -> Reply {
    Reply::bulk(chunk(sequence).bytes(KEY))
}

fn record(rule: Rule) -> Record {
    Record::new(KEY.to_owned(), 's', rule)
}

/// Feeds acknowledged writes; then what a read is judged to be: the kind of fault, or nothing.
fn read(record: &Record, reply: &Reply) -> Option<&'static str> {
    let verdict = record.clone().settle(&Op::Get, Outcome::Reply(reply));
    verdict.err().map(|wrong| wrong.kind())
}

fn acknowledged(record: &mut Record, sequence: u64) {
    let ok = Reply::ok();
    record.settle(&Op::Set(chunk(sequence)), Outcome::Reply(&ok)).expect("it is right");
}

#[test]
fn an_acknowledged_write_must_be_there() {
    let mut record = record(Rule::Exact);
    acknowledged(&mut record, 1);
    acknowledged(&mut record, 2);
    assert_eq!(read(&record, &value(2)), None);
    assert_eq!(read(&record, &value(1)), Some("acknowledged write lost"));
    assert_eq!(read(&record, &Reply::Nil), Some("acknowledged write lost"));
    let foreign = Reply::bulk(chunk(2).bytes("c1-s0.1"));
    assert_eq!(read(&record, &foreign), Some("another's reply"));
    assert_eq!(read(&record, &Reply::ok()), Some("reply of another kind"));
    assert_eq!(read(&record, &Reply::bulk("<c0-s0.1|2|2>cx")), Some("damaged"));
}

#[test]
fn a_write_of_unknown_outcome_may_run_at_any_time_or_never() {
    let mut record = record(Rule::Exact);
    acknowledged(&mut record, 1);
    record.settle(&Op::Set(chunk(2)), Outcome::Unknown).expect("no reply, no fault");
    assert!(!record.is_certain());
    for possible in [1, 2] {
        assert_eq!(read(&record, &value(possible)), None);
    }
    acknowledged(&mut record, 3);
    // The unknown one may come after the one that was acknowledged, but nothing takes it back.
    for possible in [2, 3] {
        assert_eq!(read(&record, &value(possible)), None);
    }
    assert_eq!(read(&record, &value(1)), Some("acknowledged write lost"));
}

#[test]
fn a_write_that_was_refused_must_not_be_there() {
    let mut record = record(Rule::Exact);
    acknowledged(&mut record, 1);
    record.settle(&Op::Set(chunk(2)), Outcome::NotRun).expect("no reply, no fault");
    assert_eq!(read(&record, &value(1)), None);
    assert!(read(&record, &value(2)).is_some());
}

#[test]
fn where_shards_are_ejected_only_own_values_pass() {
    let mut record = record(Rule::OwnOrNothing);
    acknowledged(&mut record, 1);
    acknowledged(&mut record, 2);
    for passes in [value(1), value(2), Reply::Nil] {
        assert_eq!(read(&record, &passes), None);
    }
    let foreign = Reply::bulk(chunk(2).bytes("c1-s0.1"));
    assert_eq!(read(&record, &foreign), Some("another's reply"));
}

#[test]
fn an_element_whose_push_was_not_acknowledged_may_be_popped_once() {
    for rule in [Rule::Exact, Rule::OwnOrNothing] {
        let mut list = Record::new(KEY.to_owned(), 'l', rule);
        list.settle(&Op::Push(chunk(1)), Outcome::Unknown).expect("no reply, no fault");
        let popped = Reply::Array(vec![Reply::bulk(KEY), value(1)]);
        for passes in [Reply::Nil, popped] {
            let verdict = list.clone().settle(&Op::BlockingPop, Outcome::Reply(&passes));
            assert_eq!(verdict, Ok(()), "{rule:?}");
        }
        let odd = Outcome::Reply(&Reply::Integer(1));
        let wrong = list.settle(&Op::BlockingPop, odd).expect_err("no list, no nil");
        assert_eq!(wrong.kind(), "reply of another kind");
    }
}

#[test]
fn nothing_is_in_a_list_twice() {
    for rule in [Rule::Exact, Rule::OwnOrNothing] {
        let mut list = Record::new(KEY.to_owned(), 'l', rule);
        let one = Reply::Integer(1);
        list.settle(&Op::Push(chunk(1)), Outcome::Reply(&one)).expect("it is right");
        let twice = Reply::Array(vec![value(1), value(1)]);
        let wrong = list.settle(&Op::List, Outcome::Reply(&twice)).expect_err("twice");
        assert_eq!(wrong.kind(), "done twice");
    }
}

#[test]
fn a_shared_counter_is_between_what_was_acknowledged_and_what_was_sent() {
    let shared = Shared::new(Rule::Exact);
    for number in [1, 2] {
        shared.note(0, Some(number)).expect("new");
    }
    shared.note(0, None).expect("unknown is no fault");
    let kind = |value| shared.judge(0, value).err().map(|wrong| wrong.kind());
    assert_eq!(kind(1), Some("acknowledged write lost"));
    assert_eq!((kind(2), kind(3)), (None, None));
    assert_eq!(kind(4), Some("done twice"));
    assert!(shared.note(0, Some(2)).is_err(), "two clients were given the same number");
}

#[test]
fn messages_come_in_order_and_once() {
    let message = |channel: &str, sequence| {
        let payload = Reply::bulk(chunk(sequence).bytes("c0-ch.1"));
        Reply::Array(vec![Reply::bulk("message"), Reply::bulk(channel), payload])
    };
    let mut heard = Heard::default();
    let mut kind = |reply, rule| heard.take(&reply, rule).err().map(|wrong| wrong.kind());
    assert_eq!(kind(message("c0-ch.1", 2), Rule::Exact), None);
    assert_eq!(kind(message("c0-ch.1", 4), Rule::Exact), None);
    assert_eq!(kind(message("c0-ch.1", 4), Rule::OwnOrNothing), Some("done twice"));
    assert_eq!(kind(message("c0-ch.1", 3), Rule::Exact), Some("out of order"));
    assert_eq!(kind(message("c0-ch.1", 1), Rule::OwnOrNothing), None);
    assert_eq!(kind(message("c9-ch.1", 5), Rule::Exact), Some("another's reply"));
}
