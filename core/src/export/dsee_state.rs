//! Our own lossless form of a tuned state: `dsee_config.json` and `dsee_state.safetensors`.
//!
//! Tensors of a module are `<path>.dsee.u` = B (d_out, R), `.v` = A (R, d_in), `.s_values` (K) and `.s_indices`
//! (2, K: output row, input column), and `.w_mask`, one bit per weight entry, row-major, lowest bit first.
//! Whatever else was trained is stored under its own name. Other tools ignore both files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ExportError, ExportInput, OutputFile, RunFacts, merged};
use crate::checkpoint::NamedTensors;
use crate::checkpoint::error::{CheckpointError, TensorProblem};
use crate::checkpoint::safetensors_read::{Entry, Header};
use crate::checkpoint::write::{TensorToWrite, Values, write_safetensors};
use crate::models::family::Head;
use crate::tuning::state::{Mask, PrunedState, SiteDelta};

/// The settings of a state.
pub const DSEE_CONFIG: &str = "dsee_config.json";
/// The numbers of a state.
pub const DSEE_STATE: &str = "dsee_state.safetensors";
/// The format written and read here.
pub const DSEE_FORMAT: u32 = 1;

/// `dsee_config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DseeConfig {
    /// [`DSEE_FORMAT`].
    pub dsee_format: u32,
    /// Version of this application.
    pub app_version: String,
    /// Hub id of the base model.
    pub base_id: Option<String>,
    /// Label names by class index; empty for regression.
    pub labels: Vec<String>,
    /// What the model says. Absent in states that earlier versions wrote, which knew classifiers only.
    #[serde(default)]
    pub head: Option<Head>,
    /// How the parts combine, for readers that are people.
    pub scale_rule: String,
    /// The updated modules.
    pub sites: Vec<SiteConfig>,
    /// Layer → removed heads, in the numbering of the base model.
    pub pruned_heads: BTreeMap<usize, Vec<usize>>,
    /// The masked parameters.
    pub masks: Vec<MaskConfig>,
    /// How the state came about.
    pub facts: RunFacts,
}

/// One updated module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteConfig {
    /// Module path.
    pub path: String,
    /// Rows.
    pub d_out: usize,
    /// Columns.
    pub d_in: usize,
    /// R.
    pub rank: usize,
    /// alpha / rank.
    pub scale: f32,
    /// K.
    pub nnz: usize,
}

/// One masked parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskConfig {
    /// Name of the parameter.
    pub parameter: String,
    /// Its number of entries.
    pub n_entries: usize,
    /// How many are kept.
    pub n_kept: usize,
}

/// A state read back.
#[derive(Clone, Debug, PartialEq)]
pub struct DseeState {
    /// The settings.
    pub config: DseeConfig,
    /// The updates, in the order of the settings.
    pub sites: Vec<SiteDelta>,
    /// What pruning removed.
    pub pruned: PrunedState,
    /// Parameters trained as a whole.
    pub trained: NamedTensors,
}

/// Why a state cannot be read.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DseeStateError {
    /// The settings are not what this version writes.
    #[error("settings of the state are not valid: {reason} ({DSEE_CONFIG})")]
    Config {
        /// What the parser says.
        reason: String,
    },
    /// Written in another format.
    #[error(
        "format {found} is not known, this version reads {DSEE_FORMAT}: a newer version wrote it ({DSEE_CONFIG})"
    )]
    Format {
        /// The format in the file.
        found: u32,
    },
    /// The numbers are damaged or do not fit the settings.
    #[error(transparent)]
    Tensors(#[from] CheckpointError),
}

/// The two files of a state.
///
/// # Errors
/// Parts that do not fit.
pub fn export_dsee_state(input: &ExportInput<'_>) -> Result<Vec<OutputFile>, ExportError> {
    input.check()?;
    Ok(state_files(input))
}

/// The same, without the check.
pub(super) fn state_files(input: &ExportInput<'_>) -> Vec<OutputFile> {
    vec![OutputFile::new(DSEE_CONFIG, config_bytes(input)), OutputFile::new(DSEE_STATE, state_bytes(input))]
}

/// `dsee_config.json` alone, which also goes beside a merged model.
pub(super) fn config_bytes(input: &ExportInput<'_>) -> Vec<u8> {
    let site = |site: &SiteDelta| SiteConfig {
        path: site.path.clone(),
        d_out: site.d_out,
        d_in: site.d_in,
        rank: site.rank,
        scale: site.scale,
        nnz: site.s_values.len(),
    };
    let mask = |(name, mask): (&String, &Mask)| MaskConfig {
        parameter: name.clone(),
        n_entries: mask.len,
        n_kept: mask.count_kept(),
    };
    let config = DseeConfig {
        dsee_format: DSEE_FORMAT,
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
        base_id: input.base_id.map(str::to_owned),
        labels: input.labels.to_vec(),
        head: Some(input.head),
        scale_rule: "weight = base * w_mask + scale * (u v + s), scale = alpha / rank".to_owned(),
        sites: input.sites.iter().map(site).collect(),
        pruned_heads: input.pruned.heads.clone(),
        masks: input.pruned.masks.iter().map(mask).collect(),
        facts: input.facts.clone(),
    };
    // Numbers that are not finite become null; nothing else can fail.
    merged::pretty(&serde_json::to_value(config).unwrap_or_default())
}

fn state_bytes(input: &ExportInput<'_>) -> Vec<u8> {
    let indices: Vec<Vec<i32>> = input.sites.iter().map(rows_then_columns).collect();
    let packed: Vec<(String, Vec<u8>)> =
        input.pruned.masks.iter().map(|(name, mask)| (mask_name(name), pack(mask))).collect();
    let mut tensors = Vec::new();
    let mut push =
        |name: String, shape: Vec<usize>, values| tensors.push(TensorToWrite { name, shape, values });
    for (site, indices) in input.sites.iter().zip(&indices) {
        let name = |part: &str| format!("{}.dsee.{part}", site.path);
        push(name("u"), vec![site.d_out, site.rank], Values::F32(&site.b));
        push(name("v"), vec![site.rank, site.d_in], Values::F32(&site.a));
        push(name("s_values"), vec![site.s_values.len()], Values::F32(&site.s_values));
        push(name("s_indices"), vec![2, site.s_values.len()], Values::I32(indices));
    }
    for (name, bits) in &packed {
        push(name.clone(), vec![bits.len()], Values::U8(bits));
    }
    for (name, tensor) in input.trained {
        push(name.clone(), tensor.shape.clone(), Values::F32(&tensor.data));
    }
    let metadata = BTreeMap::from([("dsee_format".to_owned(), DSEE_FORMAT.to_string())]);
    write_safetensors(&tensors, &metadata)
}

fn mask_name(parameter: &str) -> String {
    format!("{}.dsee.w_mask", parameter.strip_suffix(".weight").unwrap_or(parameter))
}

fn rows_then_columns(site: &SiteDelta) -> Vec<i32> {
    let d_in = site.d_in as u32;
    let rows = site.s_indices.iter().map(|&index| (index / d_in) as i32);
    let columns = site.s_indices.iter().map(|&index| (index % d_in) as i32);
    rows.chain(columns).collect()
}

fn pack(mask: &Mask) -> Vec<u8> {
    let mut bytes: Vec<u8> = mask.keep.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(mask.len.div_ceil(8));
    bytes
}

/// Reads a state from its two files.
///
/// # Errors
/// Settings that cannot be read, and everything that is wrong with the numbers.
pub fn read_dsee_state(config: &[u8], state: &[u8]) -> Result<DseeState, DseeStateError> {
    let config: DseeConfig = serde_json::from_slice(config)
        .map_err(|error| DseeStateError::Config { reason: error.to_string() })?;
    if config.dsee_format != DSEE_FORMAT {
        return Err(DseeStateError::Format { found: config.dsee_format });
    }
    let header = Header::parse(DSEE_STATE, state, state.len() as u64)?;
    let mut reader =
        StateReader { header: &header, bytes: state, problems: Vec::new(), used: BTreeSet::new() };
    let sites = config.sites.iter().map(|site| reader.site(site)).collect();
    let masks = config.masks.iter().map(|mask| (mask.parameter.clone(), reader.mask(mask))).collect();
    let trained = reader.rest();
    let pruned = PrunedState { heads: config.pruned_heads.clone(), masks };
    let problems = reader.problems;
    Ok(CheckpointError::check(DSEE_STATE, problems, DseeState { config, sites, pruned, trained })?)
}

/// Takes tensors out of a state file and collects what is wrong.
struct StateReader<'a> {
    header: &'a Header,
    bytes: &'a [u8],
    problems: Vec<TensorProblem>,
    used: BTreeSet<String>,
}

impl StateReader<'_> {
    fn site(&mut self, site: &SiteConfig) -> SiteDelta {
        let name = |part: &str| format!("{}.dsee.{part}", site.path);
        let b = self.values(&name("u"), &[site.d_out, site.rank]);
        let a = self.values(&name("v"), &[site.rank, site.d_in]);
        let s_values = self.values(&name("s_values"), &[site.nnz]);
        let s_indices = self.indices(&name("s_indices"), site);
        let SiteConfig { path, d_out, d_in, rank, scale, .. } = site.clone();
        SiteDelta { path, d_out, d_in, rank, scale, a, b, s_indices, s_values }
    }

    fn values(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        let tensor = self.take(name, shape, |entry, bytes| entry.decode(bytes));
        tensor.map(|tensor| tensor.data).unwrap_or_default()
    }

    /// Rows and columns as flat positions, which must lie in the matrix and ascend.
    fn indices(&mut self, name: &str, site: &SiteConfig) -> Vec<u32> {
        let found =
            self.take(name, &[2, site.nnz], |entry, bytes| entry.decode_i32(bytes)).unwrap_or_default();
        let (rows, columns) = found.split_at(found.len() / 2);
        let flat = |(&row, &column): (&i32, &i32)| {
            let (row, column) = (usize::try_from(row).ok()?, usize::try_from(column).ok()?);
            let inside = row < site.d_out && column < site.d_in;
            inside.then(|| u32::try_from(row * site.d_in + column).ok()).flatten()
        };
        let flat: Option<Vec<u32>> = rows.iter().zip(columns).map(flat).collect();
        if let Some(flat) = flat.filter(|flat| flat.is_sorted_by(|a, b| a < b)) {
            return flat;
        }
        let reason = format!("its positions do not ascend inside a ({}, {}) matrix", site.d_out, site.d_in);
        self.problems.push(TensorProblem::BadEntry { name: name.to_owned(), reason });
        Vec::new()
    }

    fn mask(&mut self, mask: &MaskConfig) -> Mask {
        let name = mask_name(&mask.parameter);
        let shape = [mask.n_entries.div_ceil(8)];
        let bytes = self.take(&name, &shape, |entry, bytes| entry.decode_u8(bytes)).unwrap_or_default();
        let word = |chunk: &[u8]| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        };
        let read = Mask { keep: bytes.chunks(8).map(word).collect(), len: mask.n_entries };
        if !bytes.is_empty() && read.count_kept() != mask.n_kept {
            let reason =
                format!("it keeps {} entries, {DSEE_CONFIG} says {}", read.count_kept(), mask.n_kept);
            self.problems.push(TensorProblem::BadEntry { name, reason });
        }
        read
    }

    /// All tensors that were not asked for.
    fn rest(&mut self) -> NamedTensors {
        let mut rest = NamedTensors::new();
        for entry in self.header.entries.iter().filter(|entry| !self.used.contains(&entry.name)) {
            match entry.decode(self.header.slice(entry, self.bytes)) {
                Ok(tensor) => drop(rest.insert(entry.name.clone(), tensor)),
                Err(problem) => self.problems.push(problem),
            }
        }
        rest
    }

    fn take<T>(
        &mut self,
        name: &str,
        shape: &[usize],
        decode: impl Fn(&Entry, &[u8]) -> Result<T, TensorProblem>,
    ) -> Option<T> {
        self.used.insert(name.to_owned());
        let result = match self.header.entry(name) {
            None => Err(TensorProblem::Missing { name: name.to_owned(), shape: shape.to_vec() }),
            Some(entry) if entry.shape != shape => Err(TensorProblem::WrongShape {
                name: name.to_owned(),
                found: entry.shape.clone(),
                expected: shape.to_vec(),
            }),
            Some(entry) => decode(entry, self.header.slice(entry, self.bytes)),
        };
        result.map_err(|problem| self.problems.push(problem)).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::export::fixture::Fixture;

    fn written(fixture: &Fixture) -> (Vec<u8>, Vec<u8>) {
        let mut files = export_dsee_state(&fixture.input()).unwrap();
        let state = files.pop().unwrap().bytes;
        (files.pop().unwrap().bytes, state)
    }

    #[test]
    fn a_pruned_state_comes_back_exactly() {
        let fixture = Fixture::pruned();
        let (config, state) = written(&fixture);
        let read = read_dsee_state(&config, &state).unwrap();
        assert_eq!(read.sites, fixture.sites);
        assert_eq!(read.pruned, fixture.pruned);
        assert_eq!(read.trained, fixture.trained);
        assert_eq!(read.config.facts, fixture.facts);
        assert_eq!(read.config.labels, fixture.labels);
        let text = String::from_utf8(config).unwrap();
        let without = text.replacen("\"head\"", "\"other\"", 1);
        for (config, head) in [(&text, Some(Head::classes(3))), (&without, None)] {
            let config = read_dsee_state(config.as_bytes(), &state).unwrap().config;
            assert_eq!(config.head, head);
        }
    }

    #[test]
    fn names_types_and_metadata_are_as_documented() {
        let fixture = Fixture::pruned();
        let (_, state) = written(&fixture);
        let header = Header::parse(DSEE_STATE, &state, state.len() as u64).unwrap();
        let at = |part: &str| {
            let entry =
                header.entry(&format!("bert.encoder.layer.0.attention.self.query.dsee.{part}")).unwrap();
            (entry.dtype.name(), entry.shape.clone())
        };
        assert_eq!(at("u"), ("F32", vec![8, 2]));
        assert_eq!(at("v"), ("F32", vec![2, 8]));
        assert_eq!(at("s_values"), ("F32", vec![5]));
        assert_eq!(at("s_indices"), ("I32", vec![2, 5]));
        assert_eq!(at("w_mask"), ("U8", vec![8]));
        assert_eq!(header.metadata["dsee_format"], "1");
        assert_eq!(header.metadata["format"], "pt");
    }

    #[test]
    fn a_state_that_does_not_fit_its_settings() {
        let (config, state) = written(&Fixture::pruned());
        let text = String::from_utf8(config.clone()).unwrap();
        let wider = text.replacen("\"nnz\": 5", "\"nnz\": 6", 1);
        let DseeStateError::Tensors(error) = read_dsee_state(wider.as_bytes(), &state).unwrap_err() else {
            panic!("the tensors are at fault");
        };
        assert_eq!(error.problems.len(), 2, "{error}");
        let future = text.replacen("\"dsee_format\": 1", "\"dsee_format\": 2", 1);
        assert_eq!(read_dsee_state(future.as_bytes(), &state), Err(DseeStateError::Format { found: 2 }));
        assert!(matches!(read_dsee_state(b"{}", &state), Err(DseeStateError::Config { .. })));
        assert!(matches!(read_dsee_state(&config, &state[..99]), Err(DseeStateError::Tensors(_))));
    }
}
