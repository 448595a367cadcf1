//! Which commands are looked at: each one with the same chance, so few that it costs nothing.
//!
//! ```text
//!   commands   . . . . . . x . . . . . . . . . . x . x . . . . . . . . . x
//!   gaps       └────7────┘ └─────────11────────┘└2─┘└─────────10────────┘   mean: 8
//! ```
//!
//! The gaps are drawn at random (a geometric distribution), so that no rhythm of the clients, such
//! as pipelines of the same commands, is ever in step with them. Their mean follows the load: a worker
//! with little to do looks at every command, a busy one at its `target` a second, and a command that
//! is looked at counts for as many as the mean was.

/// Says of each command whether it is to be looked at.
#[derive(Debug)]
pub struct Sampler {
    /// Commands until the next that is looked at; never 0 between commands.
    until: u32,
    /// What the gap was drawn as.
    gap: u32,
    /// The mean of the distribution that it was drawn from.
    weight: u32,
    /// The mean of the gaps drawn from now on.
    mean: u32,
    /// Commands a second to look at; 0 is none.
    target: u32,
    /// Keys that were noted since `mean` was last set.
    noted: u32,
    /// Commands in the gaps that are over, since the second began.
    passed: u64,
}

impl Default for Sampler {
    /// Looks at nothing.
    fn default() -> Self {
        let until = u32::MAX;
        Self { until, gap: until, weight: 1, mean: 1, target: 0, noted: 0, passed: 0 }
    }
}

impl Sampler {
    /// Whether the command that is handled now is to be looked at; asked once for each.
    #[inline(always)]
    pub fn is_due(&mut self) -> bool {
        self.until = self.until.wrapping_sub(1);
        self.until == 0
    }

    /// Whether anything is looked at.
    pub fn is_on(&self) -> bool {
        self.target > 0
    }

    /// Looks at `target` commands a second from now on, at twice as many for moments; 0 is none.
    pub fn set_target(&mut self, target: u32) {
        self.target = target;
        self.mean = 1;
        self.draw();
    }

    /// The command that is due counts for so many; draws the next. `None` when it was only time to
    /// draw.
    pub fn take(&mut self) -> Option<u32> {
        let weight = self.weight;
        self.passed += u64::from(self.gap);
        self.draw();
        self.is_on().then_some(weight)
    }

    /// So many keys were noted. Past what a second may have, twice as few are looked at.
    pub fn noted(&mut self, keys: u32) {
        self.noted += keys;
        if self.noted >= self.target.saturating_mul(2) {
            self.noted = self.target;
            self.mean = self.mean.saturating_mul(2).min(LONGEST_MEAN);
        }
    }

    /// A second, or `seconds`, has passed: the mean is set by the commands that came.
    pub fn begin_second(&mut self, seconds: f64) {
        if !self.is_on() {
            return;
        }
        let commands = self.passed + u64::from(self.gap - self.until);
        let most = seconds.max(0.001) * f64::from(self.target);
        self.mean = ((commands as f64 / most) as u32).clamp(1, LONGEST_MEAN);
        (self.noted, self.passed) = (0, 0);
        // What is left of a gap that was drawn in a busier second might take for ever. The
        // distribution has no memory: it may be drawn anew at any time.
        self.draw();
    }

    fn draw(&mut self) {
        self.gap = match (self.target, self.mean) {
            (0, _) => u32::MAX,
            (_, 1) => 1,
            (_, mean) => {
                let chance = 1.0 / f64::from(mean);
                // 1 − f64() is never 0.
                let gap = (1.0 - fastrand::f64()).ln() / (1.0 - chance).ln();
                (gap as u32).saturating_add(1)
            }
        };
        self.until = self.gap;
        self.weight = self.mean;
    }
}

/// At this mean a worker that handled 65 million commands a second would be held to a thousand.
const LONGEST_MEAN: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the commands that are looked at count for, in each second of so many commands.
    fn play(sampler: &mut Sampler, seconds: u32, commands: u32) -> Vec<(u32, u64)> {
        (0..seconds)
            .map(|_| {
                let (mut looked_at, mut counted) = (0, 0);
                for _ in 0..commands {
                    if sampler.is_due() {
                        let weight = sampler.take().expect("it is on");
                        sampler.noted(1);
                        looked_at += 1;
                        counted += u64::from(weight);
                    }
                }
                sampler.begin_second(1.0);
                (looked_at, counted)
            })
            .collect()
    }

    fn with_target(target: u32) -> Sampler {
        fastrand::seed(7);
        let mut sampler = Sampler::default();
        sampler.set_target(target);
        sampler
    }

    #[test]
    fn it_looks_at_nothing_unless_told_to() {
        let mut sampler = Sampler::default();
        assert!((0..100_000).all(|_| !sampler.is_due()));
        let mut sampler = with_target(1000);
        sampler.set_target(0);
        assert!((0..100_000).all(|_| !sampler.is_due()));
    }

    #[test]
    fn a_worker_with_little_to_do_looks_at_every_command() {
        let seconds = play(&mut with_target(1000), 5, 900);
        assert!(seconds.iter().all(|&second| second == (900, 900)), "{seconds:?}");
    }

    #[test]
    fn a_busy_worker_looks_at_no_more_than_twice_its_target_and_what_it_counts_is_true() {
        let seconds = play(&mut with_target(1000), 20, 300_000);
        // The first second does not know what comes.
        assert!(seconds[0].0 < 12_000, "{seconds:?}");
        for &(looked_at, counted) in &seconds[1..] {
            assert!((850..2_000).contains(&looked_at), "{seconds:?}");
            assert!((270_000..330_000).contains(&counted), "{seconds:?}");
        }
        let whole: u64 = seconds[1..].iter().map(|&(_, counted)| counted).sum();
        assert!((5_500_000..5_900_000).contains(&whole), "{whole} of {}", 19 * 300_000);
    }

    #[test]
    fn after_a_busy_second_a_quiet_one_is_seen_as_it_is() {
        let mut sampler = with_target(1000);
        play(&mut sampler, 2, 1_000_000);
        let quiet = play(&mut sampler, 2, 10);
        assert_eq!(quiet[1], (10, 10));
    }

    #[test]
    fn no_rhythm_of_the_commands_is_in_step_with_it() {
        let mut sampler = with_target(100);
        play(&mut sampler, 1, 1600);
        let mut by_place = [0; 16];
        for command in 1..=160_000 {
            if command % 1600 == 0 {
                sampler.begin_second(1.0);
            }
            if sampler.is_due() {
                sampler.take();
                by_place[command % 16] += 1;
            }
        }
        // 625 each; the deviation of chance is 25.
        assert!(by_place.iter().all(|place| (500..750).contains(place)), "{by_place:?}");
    }
}
