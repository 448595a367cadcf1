//! What waiting clients read is what one Redis says, byte for byte.

use super::Stage;

#[test]
fn every_waiting_command_gives_what_redis_gives() {
    let stage = Stage::start("");
    for tag in 0..4 {
        stage.same(|play| {
            for (wait, push) in [
                ("BLPOP {@}a {@}b 0", "RPUSH {@}b x y"),
                ("BRPOP {@}r {@}s 0", "RPUSH {@}r x y"),
                ("BLMOVE {@}c {@}d LEFT RIGHT 0", "RPUSH {@}c 1 2"),
                ("BRPOPLPUSH {@}e {@}f 0", "RPUSH {@}e 1 2"),
                ("BLMPOP 0 2 {@}g {@}h LEFT COUNT 5", "RPUSH {@}h 1 2 3"),
                ("BZPOPMIN {@}i {@}j 0", "ZADD {@}j 1 a 2.5 b"),
                ("BZPOPMAX {@}k {@}l 0", "ZADD {@}l 1 a 2.5 b"),
                ("BZMPOP 0 2 {@}m {@}n MAX COUNT 9", "ZADD {@}n 1 a 2.5 b"),
                ("XREAD BLOCK 0 STREAMS {@}o {@}p $ $", "XADD {@}p 1-1 f v"),
                ("XREAD COUNT 1 BLOCK 0 STREAMS {@}q $", "XADD {@}q 1-1 f v"),
            ] {
                let tagged = |line: &str| line.replace('@', &format!("tag{tag}"));
                play.waits(&tagged(wait));
                play.other(&tagged(push));
                play.reads();
            }
            play.other("LRANGE {tag0}d 0 -1");
            play.at_once("GET nosuch");
        });
    }
}

#[test]
fn a_group_of_a_stream_waits_too() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.at_once("XGROUP CREATE s g $ MKSTREAM");
        play.waits("XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
        play.other("XADD s 7-1 f v");
        play.reads();
        play.at_once("XPENDING s g");
        play.at_once("XREADGROUP GROUP g c BLOCK 10 STREAMS s >");
        play.at_once("XREADGROUP GROUP nosuch c BLOCK 10 STREAMS s >");
    });
}

#[test]
fn what_is_there_is_given_at_once() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.other("RPUSH {t}l a b c d e");
        play.other("ZADD {t}z 1 a 2 b 3 c");
        play.other("XADD {t}s 1-1 f v");
        for line in [
            "BLPOP {t}no {t}l 0",
            "BRPOP {t}l 1",
            "BLMOVE {t}l {t}m LEFT LEFT 0.5",
            "BRPOPLPUSH {t}l {t}m 0",
            "BLMPOP 1 1 {t}l LEFT",
            "BZPOPMIN {t}z 0",
            "BZMPOP 0 1 {t}z MIN",
            "XREAD BLOCK 0 STREAMS {t}s 0",
        ] {
            play.at_once(line);
        }
    });
}

#[test]
fn time_runs_out_as_in_redis() {
    let stage = Stage::start("");
    stage.same(|play| {
        for line in [
            "BLPOP {t}a {t}b 0.15",
            "BRPOP a 0.01",
            "BLMOVE {t}a {t}b LEFT RIGHT 0.15",
            "BRPOPLPUSH {t}a {t}b 0.01",
            "BLMPOP 0.01 1 a LEFT",
            "BZPOPMIN a 0.01",
            "BZPOPMAX a 0.01",
            "BZMPOP 0.01 1 a MIN",
            "XREAD BLOCK 150 STREAMS a $",
        ] {
            play.at_once(line);
        }
    });
}

#[test]
fn the_timeout_of_the_pool_does_not_end_the_waiting() {
    let stage = Stage::start("timeout: 1000");
    stage.same(|play| {
        play.waits("BLPOP l 0");
        std::thread::sleep(std::time::Duration::from_millis(1300));
        play.other("RPUSH l x");
        play.reads();
        play.at_once("BLPOP l 1.3");
    });
}

#[test]
fn waiting_happens_in_the_database_that_is_selected() {
    let stage = Stage::start("");
    stage.same(|play| {
        play.at_once("SELECT 5");
        play.waits("BLPOP l 0");
        play.other("RPUSH l wrong");
        play.other("SELECT 5");
        play.other("RPUSH l right");
        play.reads();
    });
}
