//! Drives a run: advances it, records what it tells, saves its checkpoints, and leaves something to go on from
//! whichever way it ends.

use anyhow::Context as _;
use dsee_core::{
    config::RunConfig,
    engine::{EngineError, Origin, Run, RunCheckpoint},
    gpu::GpuError,
    protocol::{CheckpointReason, OmegaReport, RunEvent},
};

use crate::{
    failure::Failure,
    gpu_args::GpuArgs,
    interrupt,
    outcome::{self, FinishedRun},
    recorder::RunRecorder,
    resume::ResumePoint,
    run_folder::RunFolder,
    run_inputs::{self, Inputs},
    run_lock::RunLock,
    settings_args::as_flags,
};

/// Starts a run in a new folder, from the beginning or from a state that another run has reached.
///
/// # Errors
/// Everything that is wrong with settings, model, data and folder, and whatever stops the run.
pub fn begin(
    mut config: RunConfig,
    inputs: Inputs,
    from: Option<RunCheckpoint>,
    gpu: GpuArgs,
) -> Result<FinishedRun, Failure> {
    let (run, origin) = open(&config, inputs, from, gpu)?;
    // Only now: settings that do not fit the model should leave no folder behind that blocks the next try.
    let folder = RunFolder::create(&mut config)?;
    let _lock = RunLock::take_or_fail(folder.path())?;
    drive_to_end(run, RunRecorder::new(folder, &config), &origin, gpu)
}

/// Goes on with an interrupted run. Places of sparse entries that another run has found need no search.
///
/// # Errors
/// If the checkpoint, the model or the data cannot be used any more, and whatever stops the run.
pub fn go_on(
    point: ResumePoint,
    found_omega: Vec<OmegaReport>,
    gpu: GpuArgs,
) -> Result<FinishedRun, Failure> {
    let ResumePoint { folder, config, step, files } = point;
    let _lock = RunLock::take_or_fail(folder.path())?;
    let checkpoint = if files.is_empty() {
        None
    } else {
        let read = RunCheckpoint::from_files(&files);
        Some(read.with_context(|| format!("cannot go on from {}", folder.checkpoint_path(step).display()))?)
    };
    let inputs = Inputs { found_omega, ..run_inputs::read(&config)? };
    let (run, origin) = open(&config, inputs, checkpoint, gpu)?;
    let mut recorder = RunRecorder::new(folder, &config);
    recorder.restore(step, &files)?;
    recorder.progress.line(&format!("resumed   at step {step}"));
    drive_to_end(run, recorder, &origin, gpu)
}

/// Places settings, model and data on the adapter.
fn open(
    config: &RunConfig,
    inputs: Inputs,
    from: Option<RunCheckpoint>,
    gpu: GpuArgs,
) -> Result<(Run, Origin), Failure> {
    let Inputs { model, data, found_omega } = inputs;
    say!("{}", run_inputs::describe(&data, &model.tokenizer, config.max_length)?);
    data.warnings().iter().for_each(|warning| say!("warning   {warning}"));
    let origin = outcome::origin(config, &model)?;
    let device = gpu.open_device()?;
    let mut run = pollster::block_on(Run::new(&device, config.clone(), model, &data, from))
        .map_err(settings_or_failed)?;
    run.reuse_omega(found_omega);
    Ok((run, origin))
}

fn settings_or_failed(error: EngineError) -> Failure {
    match error {
        EngineError::Settings(errors) => Failure::Settings(as_flags(errors)),
        other => other.into(),
    }
}

fn drive_to_end(
    mut run: Run,
    mut recorder: RunRecorder,
    origin: &Origin,
    gpu: GpuArgs,
) -> Result<FinishedRun, Failure> {
    interrupt::listen()?;
    let driven = drive(&mut run, &mut recorder, gpu);
    recorder.progress.clear();
    driven?;
    outcome::write(&run, &mut recorder, origin).map_err(|failure| match failure {
        // All phases are done and saved: the exports can be written again from there.
        Failure::Failed(cause) => {
            Failure::Stopped { cause, resume_command: recorder.folder().newest_resume_command() }
        }
        other => other,
    })
}

fn drive(run: &mut Run, recorder: &mut RunRecorder, gpu: GpuArgs) -> Result<(), Failure> {
    while !run.is_finished() {
        if interrupt::requested() {
            let resume_command = save_now(run, recorder)?;
            return Err(Failure::Interrupted { resume_command });
        }
        let events = match pollster::block_on(run.advance()) {
            Ok(events) => events,
            Err(error) => return Err(stopped(error, run, recorder, gpu)),
        };
        if let Err(cause) = record(&events, run, recorder) {
            // The disk may be full: nothing more is written, what was saved earlier is still good.
            let resume_command = recorder.folder().newest_resume_command();
            return Err(Failure::Stopped { cause, resume_command });
        }
    }
    Ok(())
}

/// Notes all events before it saves, so that a checkpoint holds everything that was told up to it.
fn record(events: &[RunEvent], run: &Run, recorder: &mut RunRecorder) -> anyhow::Result<()> {
    events.iter().try_for_each(|event| recorder.note(event))?;
    let due = events.iter().find_map(|event| match event {
        RunEvent::Checkpoint { step, .. } => Some(*step),
        _ => None,
    });
    due.map_or(Ok(()), |step| recorder.save_checkpoint(step, run.last_checkpoint().to_files()))
}

/// Saves the present state and gives the command that goes on from it.
fn save_now(run: &mut Run, recorder: &mut RunRecorder) -> anyhow::Result<String> {
    let checkpoint = pollster::block_on(run.checkpoint())?;
    let step = checkpoint.step();
    recorder.note(&RunEvent::Checkpoint { step, reason: CheckpointReason::Interrupted })?;
    recorder.save_checkpoint(step, checkpoint.to_files())?;
    Ok(recorder.folder().resume_command(step))
}

/// Saves the last good state after an error, so that nothing is lost but the steps after it.
fn stopped(error: EngineError, run: &mut Run, recorder: &mut RunRecorder, gpu: GpuArgs) -> Failure {
    let saved = if let EngineError::NotFinite { .. } = error {
        // The present state has been through the bad step; the last copy has not.
        let checkpoint = run.last_checkpoint();
        let step = checkpoint.step();
        let saved = recorder.save_checkpoint(step, checkpoint.to_files());
        saved.map(|()| recorder.folder().resume_command(step))
    } else {
        save_now(run, recorder)
    };
    // The first error is the one to report; a second one while saving leaves the earlier checkpoints.
    let mut resume_command = saved.ok().or_else(|| recorder.folder().newest_resume_command());
    if let (EngineError::Gpu(GpuError::DeviceLost { .. }), Some(command)) = (&error, &mut resume_command) {
        // The same work would probably end the same way.
        *command = format!("{command} {}", gpu.shorter_flag());
    }
    Failure::Stopped { cause: error.into(), resume_command }
}
