//! `dsee bench`: what the adapter can do, and how much of it training reaches.

use cpu_time::ProcessTime;
use dsee_core::bench::profile::ProfileRow;
use dsee_core::bench::report::{BenchReport, Bound, Measurement};
use dsee_core::bench::{self, Basis, BenchOptions, Clock, step_name};
use dsee_core::gpu::Device;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// Rows of the profile that are printed; `--json` has all.
const PROFILE_ROWS: usize = 15;

/// Flags of `dsee bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    /// Measure only what has this in its name, for example "product", "step/dsee", "writing", "first step" or "profile".
    /// "memory" measures what a step of GPT-2 small takes, which nothing else asks for: it is more than 2 GB.
    #[arg(long, value_name = "NAME", default_value = "")]
    filter: String,
    /// Rounds after the warm-up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

/// Wall clock and processor time of this process.
struct ProcessClock {
    wall: Instant,
    cpu: ProcessTime,
}

impl Clock for ProcessClock {
    fn wall(&self) -> f64 {
        self.wall.elapsed().as_secs_f64()
    }

    fn cpu(&self) -> Option<f64> {
        Some(self.cpu.elapsed().as_secs_f64())
    }
}

/// Measures, telling on stderr what is being done, and prints the result.
pub fn run(args: &BenchArgs, json: bool) -> Result<(), Failure> {
    let clock = ProcessClock { wall: Instant::now(), cpu: ProcessTime::now() };
    let options = BenchOptions { n_rounds: usize::from(args.rounds), filter: args.filter.clone() };
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(200));
    let report = pollster::block_on(async {
        let device = Device::open().await?;
        bench::run(&device, &clock, &options, &mut |what| spinner.set_message(what.to_owned())).await
    });
    spinner.finish_and_clear();
    let report = report?;
    if json {
        tell!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &BenchReport) {
    let clock = match report.basis {
        Basis::Cpu => "processor time of this process",
        Basis::Wall => "wall clock",
    };
    tell!("dsee {}, {} rounds, rates and shares by {clock}", report.version, report.n_rounds);
    tell!("adapter: {}, {} {}", report.adapter.name, report.adapter.backend, report.adapter.driver);
    tell!(
        "\n{:<42}{:>22}{:>22}{:>16}{:>9}",
        "",
        "cpu ms, median (min)",
        "wall ms, median (min)",
        "rate",
        "of peak"
    );
    report.measurements.iter().for_each(print_measurement);
    if let Some(first) = &report.first_step {
        tell!(
            "\nfirst step: {:.2} s = upload {:.2} + record and compile {:.2} + step {:.2}; {:.2} processor s",
            first.total_seconds,
            first.upload_seconds,
            first.prepare_seconds,
            first.step_seconds,
            first.total_cpu_seconds.unwrap_or(f64::NAN)
        );
    }
    if let Some(memory) = &report.memory {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        tell!(
            "\n{} with {} tokens: {:.0} MiB allocated, of them {:.0} MiB for the recorded step; {:.0} MiB estimated; \
             step {:.1} s",
            step_name::MEMORY,
            memory.n_tokens,
            mib(memory.allocated_bytes),
            mib(memory.plan_bytes),
            mib(memory.estimated_bytes),
            memory.step_seconds.unwrap_or(f64::NAN)
        );
    }
    if !report.profile.is_empty() {
        print_profile(&report.profile);
    }
    if !report.checks.is_empty() {
        tell!("");
    }
    for check in &report.checks {
        let bound = match check.bound {
            Bound::AtMost(most) => format!("at most {most}"),
            Bound::AtLeast(least) => format!("at least {least}"),
        };
        let verdict = if check.met { "met" } else { "NOT MET" };
        tell!("{:<42}{:>10.3}  {bound:<14} {verdict}", check.name, check.value);
    }
}

fn print_measurement(row: &Measurement) {
    let time = |seconds: Option<dsee_core::bench::report::Seconds>| {
        seconds.map_or("-".to_owned(), |s| format!("{:.3} ({:.3})", s.median * 1e3, s.min * 1e3))
    };
    let rate = match (row.gflops, row.gbytes) {
        (Some(gflops), _) => format!("{gflops:.2} GFLOP/s"),
        (None, Some(gbytes)) => format!("{gbytes:.2} GB/s"),
        (None, None) if row.n_dispatches == 0 => "-".to_owned(),
        (None, None) => format!("{} dispatches", row.n_dispatches),
    };
    let share = row.share_of_peak.map_or(String::new(), |share| format!("{:.1} %", share * 100.0));
    tell!("{:<42}{:>22}{:>22}{rate:>16}{share:>9}", row.name, time(row.cpu), time(row.wall));
}

fn print_profile(rows: &[ProfileRow]) {
    let total: f64 = rows.iter().map(|row| row.seconds * row.count as f64).sum();
    tell!("\nwhere a DSEE step goes, each kind of dispatch alone, {:.0} ms together", total * 1e3);
    for row in rows.iter().take(PROFILE_ROWS) {
        let rate = row.gflops.map_or(String::new(), |gflops| format!("{gflops:.1} GFLOP/s"));
        tell!(
            "{:>6.1} % {:>4} x {:>9.3} ms {rate:>14}  {:<18} {}",
            row.share * 100.0,
            row.count,
            row.seconds * 1e3,
            row.shape,
            row.label
        );
    }
    let rest: f64 = rows.iter().skip(PROFILE_ROWS).map(|row| row.share).sum();
    tell!("{:>6.1} % for {} more kinds", rest * 100.0, rows.len().saturating_sub(PROFILE_ROWS));
}
