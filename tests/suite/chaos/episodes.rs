//! What clients do: plain pipelines mostly, and everything else now and then.

use super::client::{Client, Command, Shape};
use super::connection::Broken;
use super::shared::{COUNTERS, Shared};
use super::state::Op;
use super::wording::SET_BOTH;

impl Client {
    /// One thing, drawn at random.
    pub async fn episode(&mut self) -> Result<(), Broken> {
        if !self.stage.is_circlet {
            return match self.rng.u8(0..20) {
                0 => self.break_off().await,
                _ => self.pipeline().await,
            };
        }
        match self.rng.u8(0..100) {
            0..50 => self.pipeline().await,
            50..60 => self.transaction().await,
            60..66 => self.watch().await,
            66..71 => self.wait_at_a_list().await,
            71..75 => self.wait_at_a_belt().await,
            75..78 => self.wait_at_a_stream().await,
            78..86 => self.publish().await,
            86..88 => self.scan().await,
            88..92 => self.about_the_session().await,
            92..94 => self.leave().await,
            94..95 => self.silenced().await,
            95..97 => self.other_database().await,
            _ => self.break_off().await,
        }
    }

    /// Commands of every kind, one to thirty of them, in one piece.
    async fn pipeline(&mut self) -> Result<(), Broken> {
        let depth = match self.rng.u8(0..10) {
            0..5 => 1,
            5..9 => self.rng.usize(2..8),
            _ => self.rng.usize(8..30),
        };
        let commands: Vec<Command> = (0..depth).map(|_| self.any_command()).collect();
        self.exchange(&commands).await
    }

    /// Any command that nutcracker serves too.
    pub fn any_command(&mut self) -> Command {
        match self.rng.u8(0..100) {
            0..8 => self.many("MGET", Op::Get, Shape::Each),
            8..12 => self.many_set(),
            12..14 => self.many("DEL", Op::Delete, Shape::Sum),
            14..20 => {
                let counter = self.rng.usize(0..COUNTERS);
                Command::plain(&["INCR", &Shared::key(counter)], Shape::Count(counter))
            }
            20..24 => {
                let key = self.place('p');
                let op = if self.rng.bool() { self.pair_set() } else { Op::Pair };
                self.command(key, op)
            }
            _ => {
                // nutcracker 0.5.0 knows no streams.
                let kinds = ['s', 's', 's', 'n', 'l', 'h', 'z', 'e', 'b', 'x'];
                let known = if self.stage.is_circlet { &kinds[..] } else { &kinds[..9] };
                let kind = *self.rng.choice(known).expect("kinds are listed");
                let key = self.place(kind);
                let op = self.any_op(kind, key);
                self.command(key, op)
            }
        }
    }

    /// Something that is done to keys of this kind.
    pub fn any_op(&mut self, kind: char, key: usize) -> Op {
        if self.keys[key].state().size() > 12 && !matches!(kind, 'b' | 'x') {
            return Op::Delete;
        }
        let large = self.size();
        let (chunk, small) = (self.chunk(large), self.chunk(40));
        let field = self.rng.u8(0..6);
        let choice = self.rng.usize(0..8);
        // nutcracker 0.5.0 does not know GETDEL.
        let newest = if self.stage.is_circlet { 3 } else { 2 };
        match kind {
            's' => [
                Op::Get,
                Op::Get,
                Op::Set(chunk),
                Op::Set(chunk),
                Op::Append(small),
                Op::GetSet(chunk),
                Op::SetNx(small),
                [Op::Strlen, Op::Exists, Op::GetDel][usize::from(field) % newest],
            ][choice],
            'n' => {
                let by = self.rng.i64(1..100);
                [Op::Number, Op::Increment(1), Op::Increment(1), Op::Increment(by)][choice / 2]
            }
            'l' => [
                Op::List,
                Op::List,
                Op::Push(small),
                Op::Push(chunk),
                Op::Push(small),
                Op::PushFront(small),
                Op::Pop,
                Op::PopBack,
            ][choice],
            'h' => {
                [Op::HashAll, Op::HashGet(field), Op::HashDelete(field), Op::HashSet(field, small)]
                    [choice / 2]
            }
            'z' => [
                Op::Scores,
                Op::Score(small, i64::from(field)),
                Op::ScoreMore(small, 3),
                Op::ScoreRemove(small),
            ][choice / 2],
            'e' => [Op::Members, Op::Add(small), Op::Add(small), Op::Remove(small)][choice / 2],
            'x' => [Op::Stream, Op::StreamLength, Op::StreamAdd(small), Op::StreamAdd(small)]
                [choice / 2],
            _ => [Op::BeltFirst, Op::BeltPush(small), Op::BeltMove, Op::BeltSecond][choice / 2],
        }
    }

    /// 1 B mostly to 200, now and then to 1 MiB.
    fn size(&mut self) -> u32 {
        match self.rng.u16(0..1_000) {
            0..800 => 200,
            800..990 => 16 * 1024,
            990..998 => 100 * 1024,
            _ => 1024 * 1024,
        }
    }

    fn pair_set(&mut self) -> Op {
        Op::PairSet(self.chunk(100))
    }

    /// EVALSHA of what [`Op::PairSet`] sends as EVAL.
    pub fn by_sha(&self, mut command: Command) -> Command {
        use sha1::Digest;
        let sha: String =
            sha1::Sha1::digest(SET_BOTH).iter().map(|byte| format!("{byte:02x}")).collect();
        command.words[0] = b"EVALSHA".to_vec();
        command.words[1] = sha.into_bytes();
        command
    }

    fn many(&mut self, name: &str, op: Op, shape: Shape) -> Command {
        let keys = self.some_texts();
        let mut words = vec![name.as_bytes().to_vec()];
        words.extend(keys.iter().map(|key| self.keys[*key].name.clone().into_bytes()));
        Command { words, steps: keys.into_iter().map(|key| (key, op)).collect(), shape }
    }

    fn many_set(&mut self) -> Command {
        let (mut words, mut steps) = (vec![b"MSET".to_vec()], Vec::new());
        for key in self.some_texts() {
            let chunk = self.chunk(300);
            let name = &self.keys[key].name;
            words.extend([name.clone().into_bytes(), chunk.bytes(name)]);
            steps.push((key, Op::Set(chunk)));
        }
        Command { words, steps, shape: Shape::AllOk }
    }

    fn some_texts(&mut self) -> Vec<usize> {
        let mut places: Vec<usize> =
            (0..self.keys.len()).filter(|place| self.keys[*place].kind == 's').collect();
        self.rng.shuffle(&mut places);
        let count = self.rng.usize(1..=places.len());
        places.truncate(count);
        places
    }
}
