//! scratch
use dsee_core::bench::{Basis, Clock, profile, step, timing};
use dsee_core::gpu::Device;

use crate::failure::Failure;

struct ProcessClock(std::time::Instant, cpu_time::ProcessTime);
impl Clock for ProcessClock {
    fn wall(&self) -> f64 { self.0.elapsed().as_secs_f64() }
    fn cpu(&self) -> Option<f64> { Some(self.1.elapsed().as_secs_f64()) }
}

/// Flags
#[derive(Debug, clap::Args)]
pub struct BenchArgs {}

/// Runs
pub fn run(_: &BenchArgs, _json: bool) -> Result<(), Failure> {
    pollster::block_on(async {
        let clock = ProcessClock(std::time::Instant::now(), cpu_time::ProcessTime::now());
        let device = Device::open().await?;
        println!("{:?}", device.report());
        let scene = step::Scene::minilm();
        let t = clock.wall();
        let mut job = step::StepJob::new(&device, &clock, &scene, step::Method::Dsee).await?;
        job.run().await?; device.throttle(0).await?;
        println!("first step {} (prepare {})", clock.wall() - t, job.prepare_seconds());
        let mut c = vec![timing::Contender::step("dsee", job)];
        for (n, m) in [("lora", step::Method::Lora), ("frozen", step::Method::Frozen), ("full", step::Method::Full)] {
            c.push(timing::Contender::step(n, step::StepJob::new(&device, &clock, &scene, m).await?));
        }
        c.push(timing::Contender::step("small", step::StepJob::new(&device, &clock, &step::Scene::small(), step::Method::Full).await?));
        let mut quiet = |_: &str| ();
        let s = timing::measure(&device, &clock, 5, &mut c, &mut quiet).await?;
        for (c, s) in c.iter().zip(&s) {
            println!("{:10} cpu {:.3} (min {:.3}) wall {:.3} (min {:.3}) dispatches {} prepare {:.2}", c.name, timing::median(&s.cpu), timing::minimum(&s.cpu), timing::median(&s.wall), timing::minimum(&s.wall), c.n_dispatches, c.prepare_seconds);
        }
        drop(c);
        let recorded = step::record(&device, &scene, step::Method::Dsee).await?;
        let rows = profile::profile(&device, &clock, Basis::Cpu, 5, recorded, &mut quiet).await?;
        println!("sum {}", rows.iter().map(|r| r.seconds * r.count as f64).sum::<f64>());
        for r in rows {
            println!("{:5.1}% x{:3} {:8.3} ms (min {:8.3}) {:>7} {} [{}]", r.share*100.0, r.count, r.seconds*1e3, r.min_seconds*1e3, r.gflops.map_or(String::new(), |g| format!("{g:.1}")), r.label, r.shape);
        }
        Ok(())
    })
}
