//! The result of a bench: measurements, what they are of the adapter's peak, and the figures they are held to.

use serde::Serialize;

use super::Basis;
use super::memory::StepMemory;
use super::profile::ProfileRow;
use super::timing::{Contender, Samples, Work, median, minimum};
use super::{kernels, step_name};
use crate::gpu::AdapterReport;

/// Everything measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchReport {
    /// Version of this program.
    pub version: &'static str,
    /// The adapter.
    pub adapter: AdapterReport,
    /// The clock that shares, rates and checks are taken from.
    pub basis: Basis,
    /// Rounds after the warm-up.
    pub n_rounds: usize,
    /// From model in memory to the end of the first DSEE step.
    pub first_step: Option<FirstStep>,
    /// Memory of a step of GPT-2 small.
    pub memory: Option<StepMemory>,
    /// Contender by contender.
    pub measurements: Vec<Measurement>,
    /// Figures with a bound.
    pub checks: Vec<Check>,
    /// Where the time of a DSEE step goes, most expensive first.
    pub profile: Vec<ProfileRow>,
}

/// Seconds until the first DSEE step on all-MiniLM-L6-v2's sizes is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FirstStep {
    /// Upload of the weights and the first effective weights.
    pub upload_seconds: f64,
    /// Recording the step, laying out its memory, compiling its pipelines.
    pub prepare_seconds: f64,
    /// The step, where drivers may still compile.
    pub step_seconds: f64,
    /// All of it.
    pub total_seconds: f64,
    /// All of it in processor seconds, where the platform tells.
    pub total_cpu_seconds: Option<f64>,
}

/// Median and least value of the rounds, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Seconds {
    /// Median.
    pub median: f64,
    /// Least.
    pub min: f64,
}

impl Seconds {
    fn of(values: &[f64]) -> Option<Self> {
        (!values.is_empty()).then(|| Self { median: median(values), min: minimum(values) })
    }
}

/// One contender.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// `group/what and size`.
    pub name: String,
    /// Of the wall clock.
    pub wall: Option<Seconds>,
    /// Of the processor time of the process.
    pub cpu: Option<Seconds>,
    /// What one item does.
    pub work: Work,
    /// Dispatches of one item; 0 where they are not counted.
    pub n_dispatches: usize,
    /// Wall seconds for pipelines and recording, before the warm-up; pipelines compiled earlier are reused.
    pub prepare_seconds: f64,
    /// GFLOP/s by the basis, median: per processor second on a software adapter.
    pub gflops: Option<f64>,
    /// GB/s by the basis, median.
    pub gbytes: Option<f64>,
    /// Of the adapter's peak in arithmetic or memory, median over rounds.
    pub share_of_peak: Option<f64>,
    /// Seconds of one item, round by round.
    pub samples: Samples,
}

/// What is measured apart from the contenders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Others {
    /// See [`BenchReport::first_step`].
    pub first_step: Option<FirstStep>,
    /// See [`BenchReport::memory`].
    pub memory: Option<StepMemory>,
    /// See [`BenchReport::profile`].
    pub profile: Vec<ProfileRow>,
}

/// A figure and what it must be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What it says.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// What it must be.
    pub bound: Bound,
    /// Whether it is.
    pub met: bool,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Measurement {
    /// One for every contender and its samples.
    #[must_use]
    pub fn all(contenders: &[Contender], samples: &[Samples]) -> Vec<Self> {
        let one = |(contender, samples): (&Contender, &Samples)| Self {
            name: contender.name.clone(),
            wall: Seconds::of(&samples.wall),
            cpu: Seconds::of(&samples.cpu),
            work: contender.work,
            n_dispatches: contender.n_dispatches,
            prepare_seconds: contender.prepare_seconds,
            gflops: None,
            gbytes: None,
            share_of_peak: None,
            samples: samples.clone(),
        };
        contenders.iter().zip(samples).map(one).collect()
    }

    /// Work of every round per second of the basis.
    fn rates(&self, basis: Basis, work: f64) -> Vec<f64> {
        basis.of(&self.samples).iter().map(|seconds| work / seconds).collect()
    }
}

/// Median of the quotients round by round: what slows a round slows both.
fn ratio(above: &[f64], below: &[f64]) -> f64 {
    let quotients: Vec<f64> = above.iter().zip(below).map(|(a, b)| a / b).collect();
    median(&quotients)
}

impl BenchReport {
    /// Works out rates, shares and checks.
    #[must_use]
    pub fn new(
        adapter: AdapterReport,
        basis: Basis,
        n_rounds: usize,
        measurements: Vec<Measurement>,
        others: Others,
    ) -> Self {
        let (version, checks) = (env!("CARGO_PKG_VERSION"), Vec::new());
        let Others { first_step, memory, profile } = others;
        let mut report =
            Self { version, adapter, basis, n_rounds, first_step, memory, measurements, checks, profile };
        report.fill_shares();
        report.checks = report.all_checks();
        report
    }

    /// The measurement called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Measurement> {
        self.measurements.iter().find(|measurement| measurement.name == name)
    }

    fn fill_shares(&mut self) {
        let basis = self.basis;
        let rates = |report: &Self, name: &str, work: fn(&Work) -> f64| {
            report.find(name).map(|found| found.rates(basis, work(&found.work))).unwrap_or_default()
        };
        let arithmetic = rates(self, kernels::FMA, |work| work.flop);
        let memory = rates(self, kernels::COPY, |work| work.bytes);
        for measurement in &mut self.measurements {
            let Work { flop, bytes } = measurement.work;
            if flop > 0.0 {
                let rates = measurement.rates(basis, flop);
                measurement.gflops = Some(median(&rates) * 1e-9);
                measurement.share_of_peak = Some(ratio(&rates, &arithmetic));
            } else if bytes > 0.0 {
                let rates = measurement.rates(basis, bytes);
                measurement.gbytes = Some(median(&rates) * 1e-9);
                measurement.share_of_peak = Some(ratio(&rates, &memory));
            }
        }
    }

    /// How many times as long `above` takes as `below`, where both were measured, by their least rounds: other work on
    /// the machine only ever adds to a round, and would have to add to every one of them to be seen.
    #[must_use]
    pub fn times(&self, above: &str, below: &str) -> Option<f64> {
        let least = |name: &str| Some(minimum(self.basis.of(&self.find(name)?.samples)));
        Some(least(above)? / least(below)?)
    }

    fn all_checks(&self) -> Vec<Check> {
        use Bound::{AtLeast, AtMost};
        let seconds = |name: &str| {
            // The bounds in seconds are of processor time on a software adapter.
            let found = self.find(name).filter(|_| self.basis == Basis::Cpu)?;
            found.cpu.map(|cpu| cpu.min)
        };
        let product = |form: &str| self.find(&format!("product/{form} 4096x768x768"))?.share_of_peak;
        let first = self.first_step.map(|first| first.total_seconds);
        let figures = [
            ("DSEE step / LoRA step", self.times(step_name::DSEE, step_name::LORA), AtMost(1.05)),
            ("DSEE step / frozen forward+dX", self.times(step_name::DSEE, step_name::FROZEN), AtMost(1.15)),
            ("padded step / packed step", self.times(step_name::PADDED, step_name::DSEE), AtLeast(6.0)),
            ("product nt 4096x768x768 / peak", product("nt"), AtLeast(0.25)),
            ("product nn 4096x768x768 / peak", product("nn"), AtLeast(0.25)),
            ("product tn 4096x768x768 / peak", product("tn"), AtLeast(0.25)),
            ("first step, seconds", first, AtMost(5.0)),
            ("GPT-2 small step, GiB", self.memory.map(|memory| memory.gib()), AtMost(2.5)),
            ("memory estimated / allocated", self.memory.map(|memory| memory.ratio()), AtMost(1.1)),
            ("memory estimated / allocated", self.memory.map(|memory| memory.ratio()), AtLeast(0.9)),
            ("token without / with cache", self.times(step_name::WHOLE, step_name::CACHED), AtLeast(5.0)),
            ("DSEE step, processor seconds", seconds(step_name::DSEE), AtMost(1.4)),
            ("small encoder step, processor seconds", seconds(step_name::SMALL), AtMost(0.6)),
        ];
        let check = |(name, value, bound): (&str, Option<f64>, Bound)| {
            let value = value?;
            let met = match bound {
                AtMost(most) => value <= most,
                AtLeast(least) => value >= least,
            };
            Some(Check { name: name.to_owned(), value, bound, met })
        };
        figures.into_iter().filter_map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::gpu::Device;

    fn measured(name: &str, flop: f64, cpu: [f64; 3]) -> Measurement {
        let samples = Samples { wall: vec![9.0, 1.0, 5.0], cpu: cpu.to_vec() };
        Measurement {
            name: name.to_owned(),
            wall: Seconds::of(&samples.wall),
            cpu: Seconds::of(&samples.cpu),
            work: Work { flop, bytes: 0.0 },
            n_dispatches: 1,
            prepare_seconds: 0.0,
            gflops: None,
            gbytes: None,
            share_of_peak: None,
            samples,
        }
    }

    #[test]
    fn shares_compare_round_by_round_and_checks_the_least_rounds() {
        // Every round of the machine is slower, yet the ratios stay.
        let measurements = vec![
            measured(kernels::FMA, 8e9, [1.0, 2.0, 4.0]),
            measured("product/nt 4096x768x768", 2e9, [0.5, 1.0, 2.0]),
            measured(step_name::DSEE, 0.0, [1.2, 2.4, 9.9]),
            measured(step_name::LORA, 0.0, [1.0, 2.0, 4.0]),
        ];
        let adapter = Device::reference().report().clone();
        let report = BenchReport::new(adapter, Basis::Cpu, 3, measurements, Others::default());
        assert_eq!(report.find("product/nt 4096x768x768").unwrap().share_of_peak, Some(0.5));
        assert_eq!(report.find(kernels::FMA).unwrap().gflops, Some(4.0));
        let met: Vec<_> = report.checks.iter().map(|check| (check.name.as_str(), check.met)).collect();
        assert_eq!(
            met,
            [
                ("DSEE step / LoRA step", false),
                ("product nt 4096x768x768 / peak", true),
                ("DSEE step, processor seconds", true),
            ]
        );
        assert!((report.checks[0].value - 1.2).abs() < 1e-12);
    }
}
