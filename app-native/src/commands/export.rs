//! `dsee export`: a finished run in a form that other tools load.

use dsee_core::export::format::ExportFormat;
use serde_json::json;
use std::path::PathBuf;

use crate::{exports, failure::Failure, saved_run::SavedRun};

/// Flags of `dsee export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The run folder.
    run: PathBuf,
    /// The form to write.
    #[arg(long, value_parser = exports::format_parser(), default_value = ExportFormat::Adapter.name())]
    format: ExportFormat,
    /// Folder to write to [default: the folder of that name in the run folder].
    #[arg(long, alias = "output_dir", value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// The base model, if it is not where it was when the run began.
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
}

/// Writes it, reads it back, and says so.
pub fn run(args: &ExportArgs, json: bool) -> Result<(), Failure> {
    let saved = SavedRun::open(&args.run, args.model.as_deref())?;
    let path = args.output_dir.clone().unwrap_or_else(|| saved.folder.path().join(args.format.name()));
    let weights = saved.weights()?;
    let input = saved.export_input(&weights);
    let written = exports::write(&path, args.format, &input)?;
    let how_to_load = args.format.how_to_load(&input, &path.display().to_string());
    if json {
        let report = json!({
            "path": path, "format": args.format.name(), "files": written.n_files, "bytes": written.n_bytes,
            "verified_tensors": written.verified.tensors, "max_difference": written.verified.max_difference,
            "how_to_load": how_to_load,
        });
        tell!("{report:#}");
        return Ok(());
    }
    let megabytes = written.n_bytes as f64 / 1e6;
    tell!("wrote {} files, {megabytes:.1} MB: {}", written.n_files, path.display());
    let verified = &written.verified;
    tell!(
        "verified: {} tensors read back, largest difference {:e}",
        verified.tensors,
        verified.max_difference
    );
    tell!("\n{how_to_load}");
    Ok(())
}
