//! Where the time of a step goes: every distinct dispatch of it alone, many times in a row.

use std::collections::BTreeMap;

use serde::Serialize;

use super::timing::{Contender, Work, measure, median, minimum};
use super::{Basis, Clock};
use crate::gpu::recording::{Base, Command, Dispatch};
use crate::gpu::{Device, GpuError, Recording, Sizes, StepScalars};

/// Repetitions of a dispatch in one submission.
const N_COPIES: usize = 20;

/// One kind of command of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProfileRow {
    /// Path and kernel of the first of its kind.
    pub label: String,
    /// M × N × K of a product, or the number of workgroups.
    pub shape: String,
    /// How many of its kind the step has.
    pub count: usize,
    /// Seconds of one, median.
    pub seconds: f64,
    /// Seconds of one, least.
    pub min_seconds: f64,
    /// Share of the sum over all commands, from 0 to 1.
    pub share: f64,
    /// GFLOP/s of a product.
    pub gflops: Option<f64>,
}

/// Commands that do the same work count as one kind.
fn kinds(recording: &Recording, sizes: &Sizes) -> Vec<(Command, usize)> {
    let mut kinds: Vec<(Command, usize)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for command in &recording.commands {
        let place = *places.entry(key(command, sizes)).or_insert(kinds.len());
        match kinds.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => kinds.push((command.clone(), 1)),
        }
    }
    kinds
}

fn key(command: &Command, sizes: &Sizes) -> String {
    match command {
        Command::Clear(slice) => format!("clear {}", slice.len.under(sizes)),
        Command::Copy([from, _]) => format!("copy {}", from.len.under(sizes)),
        Command::Dispatch(dispatch) => {
            // Streams of random numbers differ everywhere and change nothing of the work.
            let params: Vec<_> =
                params(dispatch, sizes).into_iter().filter(|(name, _)| !name.ends_with("stream")).collect();
            let groups = dispatch.grid.workgroups(sizes);
            let (kernel, inputs) = (dispatch.kernel.name, batch_inputs(dispatch));
            format!("{kernel} {:?} {params:?} {groups:?} {inputs:?}", dispatch.constants)
        }
    }
}

/// Names of the memory whose contents decide how much there is to do, such as the ranges of sequences. Memory with a
/// dotted name is a parameter, whose values change nothing.
fn batch_inputs(dispatch: &Dispatch) -> Vec<&str> {
    let mut labels = Vec::new();
    for slice in &dispatch.buffers {
        if let Base::Resident(resident) = &slice.base
            && !resident.label().contains('.')
        {
            labels.push(resident.label());
        }
    }
    labels
}

fn params(dispatch: &Dispatch, sizes: &Sizes) -> Vec<(&'static str, u32)> {
    let scalars = StepScalars::default();
    let fields = dispatch.kernel.params.iter().zip(&dispatch.params);
    fields.map(|(field, value)| (field.name, value.bits(sizes, &scalars))).collect()
}

/// Label, shape and floating-point operations of a command.
fn describe(command: &Command, sizes: &Sizes) -> (String, String, f64) {
    match command {
        Command::Clear(slice) => ("clear".into(), slice.len.under(sizes).to_string(), 0.0),
        Command::Copy([from, _]) => ("copy".into(), from.len.under(sizes).to_string(), 0.0),
        Command::Dispatch(dispatch) => {
            let params: BTreeMap<_, _> = params(dispatch, sizes).into_iter().collect();
            let label = dispatch.label.clone();
            match (params.get("m"), params.get("n"), params.get("k")) {
                (Some(&m), Some(&n), Some(&k)) => {
                    (label, format!("{m} x {n} x {k}"), 2.0 * f64::from(m) * f64::from(n) * f64::from(k))
                }
                _ => {
                    let [x, y] = dispatch.grid.workgroups(sizes);
                    (label, format!("{} groups", x * y), 0.0)
                }
            }
        }
    }
}

/// Times every kind of command of a recorded step; most expensive first.
///
/// # Errors
/// Whatever goes wrong on the device.
pub async fn profile(
    device: &Device,
    clock: &dyn Clock,
    basis: Basis,
    n_rounds: usize,
    (recording, sizes): (Recording, Sizes),
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<ProfileRow>, GpuError> {
    let kinds = kinds(&recording, &sizes);
    let mut contenders = Vec::with_capacity(kinds.len());
    for (command, _) in &kinds {
        let (label, _, flop) = describe(command, &sizes);
        let only = Recording { commands: vec![command.clone()], transients: recording.transients.clone() };
        let work = Work { flop, bytes: 0.0 };
        contenders.push(Contender::repeat(device, clock, label, only, sizes, N_COPIES, work).await?);
    }
    let samples = measure(device, clock, n_rounds, &mut contenders, progress).await?;
    let mut rows: Vec<ProfileRow> = Vec::with_capacity(kinds.len());
    for ((command, count), samples) in kinds.iter().zip(&samples) {
        let (label, shape, flop) = describe(command, &sizes);
        let values = basis.of(samples);
        let (seconds, min_seconds) = (median(values), minimum(values));
        let gflops = (flop > 0.0).then(|| flop / seconds * 1e-9);
        rows.push(ProfileRow { label, shape, count: *count, seconds, min_seconds, share: 0.0, gflops });
    }
    let total: f64 = rows.iter().map(|row| row.seconds * row.count as f64).sum();
    rows.iter_mut().for_each(|row| row.share = row.seconds * row.count as f64 / total);
    rows.sort_by(|a, b| b.share.total_cmp(&a.share));
    Ok(rows)
}
