//! Proves that every kernel is valid WGSL and that its Rust description is that of its shader: entry point, bindings,
//! params, constants, limits; and that every shader file is used and listed. Needs no GPU.

use std::collections::BTreeSet;

use dsee_core::gpu::kernel::{FieldKind, constant_of};
use dsee_core::gpu::recording::Command;
use dsee_core::gpu::{AdapterKind, Constant, Device, Dim, Kernel, Recording};
use dsee_core::ops::attention::{Heads, Pairing, attention};
use dsee_core::ops::cross_entropy::cross_entropy;
use dsee_core::ops::linear_cross_entropy::{LmHead, linear_cross_entropy};
use dsee_core::ops::{KERNELS, cache, cholesky, omega_exchange, prepend, scale_columns, select};
use dsee_core::tape::{Mode, Tape, Tensor};
use dsee_tests::repository::{files_under, text};
use dsee_tests::tiny_bert::TinyModel;
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, Scalar, StorageAccess, TypeInner};

/// Bytes of workgroup memory that every WebGPU device has.
const WORKGROUP_BYTES: u32 = 16 << 10;
/// Invocations in a workgroup that every WebGPU device allows.
const INVOCATIONS: u32 = 256;
/// Storage buffers of one kernel that every WebGPU device allows.
const STORAGE_BUFFERS: usize = 8;

/// The values that the product gives to numeric constants. [`constants_in_use_are_tried`] compares it with the ops.
const VALUES: [(&str, &[u32]); 6] = [
    ("ACTIVATION", &[0, 1, 2, 3, 4, 5]),
    // Head sizes of the golden model, MiniLM and BERT, the neighbouring powers of two, and two that are read one by one.
    ("HEAD_SIZE", &[1, 8, 16, 26, 32, 64, 128]),
    ("OCTETS", &[1, 2, 4]),
    ("SIDE", &[8, 16]),
    // Ranks of searched matrices.
    ("SIZE", &[1, 8, 16, 64]),
    // A row of few classes needs but one invocation.
    ("WORKGROUP_SIZE", &[1, 8, 64]),
];

/// Constants that stay at their default in the product: a choice left to measurements.
const UNSET: [&str; 1] = ["COLS"];

type Constants = Vec<(&'static str, Constant)>;

fn kernels() -> impl Iterator<Item = &'static Kernel> {
    KERNELS.iter().flat_map(|op| op.iter().copied())
}

/// The names of all kernels for which `check` found something, with what it found.
fn for_every_kernel(check: impl Fn(&'static Kernel) -> Result<(), String>) {
    let failed: Vec<String> = kernels()
        .filter_map(|kernel| check(kernel).err().map(|problem| format!("{}: {problem}", kernel.name)))
        .collect();
    assert!(failed.is_empty(), "{} kernels fail:\n{}", failed.len(), failed.join("\n"));
}

fn check(holds: bool, problem: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem()) }
}

fn parse(source: &str) -> Result<Module, String> {
    naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))
}

/// Parses and validates. Only kernels called `…_subgroup` may use what not every device has.
fn validate(kernel: &Kernel, source: &str) -> Result<Module, String> {
    let module = parse(source)?;
    let capabilities =
        if kernel.name.ends_with("_subgroup") { Capabilities::SUBGROUP } else { Capabilities::empty() };
    match Validator::new(ValidationFlags::all(), capabilities).validate(&module) {
        Ok(_) => Ok(module),
        Err(error) => Err(error.emit_to_string(source)),
    }
}

/// Name, type and default of every module constant the host may set: all overrides whose default is a value and not
/// computed from others, and the plain constants that [`VALUES`] names.
fn settable(kernel: &'static Kernel) -> Vec<(&'static str, &'static str)> {
    let declared = kernel.source.lines().filter_map(|line| {
        let (name, kind, default) = constant_of(line)?;
        let literal = default.parse::<bool>().is_ok() || default.trim_end_matches('u').parse::<u32>().is_ok();
        let named = VALUES.iter().any(|(value, _)| *value == name);
        let wanted = (line.starts_with("override ") || named) && literal && !UNSET.contains(&name);
        wanted.then_some((name, kind))
    });
    declared.collect()
}

fn values_of(name: &str, kind: &str) -> Vec<Constant> {
    if kind == "bool" {
        return vec![false.into(), true.into()];
    }
    let values = VALUES.iter().find(|(value, _)| *value == name);
    let (_, values) =
        values.unwrap_or_else(|| panic!("add {name} and the values the product gives it to VALUES"));
    values.iter().map(|&value| value.into()).collect()
}

/// Every combination of values that a kernel can be compiled with.
fn combinations(kernel: &'static Kernel) -> Vec<Constants> {
    let mut all: Vec<Constants> = vec![Vec::new()];
    for (name, kind) in settable(kernel) {
        let values = values_of(name, kind);
        let with = |constants: &Constants| {
            let base = constants.clone();
            values.iter().map(move |&value| [base.clone(), vec![(name, value)]].concat()).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

#[test]
fn sources_are_valid_as_they_stand() {
    for_every_kernel(|kernel| validate(kernel, kernel.source).map(drop));
}

#[test]
fn sources_are_valid_with_their_defaults() {
    for_every_kernel(|kernel| {
        let source = kernel.specialised(&[]);
        check(!source.contains("\noverride "), || "an override is left: declare it on one line".into())?;
        validate(kernel, &source).map(drop)
    });
}

#[test]
fn every_combination_of_constants_is_valid_and_within_limits() {
    let mut n_variants = 0;
    let mut failed = Vec::new();
    for kernel in kernels() {
        for constants in combinations(kernel) {
            n_variants += 1;
            let module = validate(kernel, &kernel.specialised(&constants));
            if let Err(problem) = module.and_then(|module| within_limits(&module)) {
                failed.push(format!("{} with {constants:?}: {problem}", kernel.name));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {n_variants} variants fail:\n{}", failed.len(), failed.join("\n"));
    assert!(n_variants > 2 * kernels().count(), "only {n_variants} variants were tried");
}

fn within_limits(module: &Module) -> Result<(), String> {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).map_err(|error| error.to_string())?;
    let workgroup =
        module.global_variables.iter().filter(|(_, variable)| variable.space == AddressSpace::WorkGroup);
    let bytes: u32 = workgroup.map(|(_, variable)| layouter[variable.ty].size).sum();
    check(bytes <= WORKGROUP_BYTES, || format!("{bytes} bytes of workgroup memory"))?;
    let invocations: u32 = module.entry_points[0].workgroup_size.iter().product();
    check((1..=INVOCATIONS).contains(&invocations), || format!("{invocations} invocations"))
}

#[test]
fn one_entry_point_called_main() {
    for_every_kernel(|kernel| {
        let module = parse(&kernel.specialised(&[]))?;
        let found: Vec<_> =
            module.entry_points.iter().map(|entry| (entry.stage, entry.name.as_str())).collect();
        check(found == [(naga::ShaderStage::Compute, "main")], || format!("entry points {found:?}"))
    });
}

/// Binding number, name and whether it is written, of all bound variables, in order.
fn bound(module: &Module) -> Result<Vec<(u32, String, bool)>, String> {
    let mut found = Vec::new();
    for (_, variable) in module.global_variables.iter() {
        let Some(at) = &variable.binding else { continue };
        let name = variable.name.clone().unwrap_or_default();
        check(at.group == 0, || format!("{name} is in group {}", at.group))?;
        let writes = match variable.space {
            AddressSpace::Uniform => false,
            AddressSpace::Storage { access } => access.contains(StorageAccess::STORE),
            space => return Err(format!("{name} is in {space:?}")),
        };
        check((at.binding == 0) == (variable.space == AddressSpace::Uniform), || {
            format!("{name}: binding 0 is the uniform params, all others are storage")
        })?;
        found.push((at.binding, name, writes));
    }
    found.sort();
    Ok(found)
}

#[test]
fn bindings_are_those_of_the_kernel() {
    for_every_kernel(|kernel| {
        let mut expected = vec![(0, "params".to_owned(), false)];
        let buffers = (1..).zip(kernel.bindings);
        expected.extend(buffers.map(|(number, binding)| (number, binding.name.to_owned(), binding.writes)));
        let found = bound(&parse(&kernel.specialised(&[]))?)?;
        check(found == expected, || format!("the shader binds {found:?},\n    the kernel {expected:?}"))?;
        let n = kernel.bindings.len();
        check(n <= STORAGE_BUFFERS, || format!("{n} storage buffers"))
    });
}

/// Name, offset and type of a member of `Params`.
type Member = (String, u32, FieldKind);

/// The members of `Params`, and its size.
fn params(module: &Module) -> Result<(Vec<Member>, u32), String> {
    let uniform =
        module.global_variables.iter().find(|(_, variable)| variable.space == AddressSpace::Uniform);
    let (_, variable) = uniform.ok_or("there is no uniform block")?;
    let TypeInner::Struct { members, span } = &module.types[variable.ty].inner else {
        return Err("params is no struct".into());
    };
    let mut fields = Vec::new();
    for member in members {
        let name = member.name.clone().unwrap_or_default();
        let kind = match module.types[member.ty].inner {
            TypeInner::Scalar(Scalar::U32) => FieldKind::U32,
            TypeInner::Scalar(Scalar::F32) => FieldKind::F32,
            _ => return Err(format!("{name} is neither u32 nor f32")),
        };
        fields.push((name, member.offset, kind));
    }
    Ok((fields, *span))
}

#[test]
fn params_are_those_of_the_kernel() {
    for_every_kernel(|kernel| {
        let fields = (0u32..).zip(kernel.params);
        let expected: Vec<_> = fields.map(|(i, field)| (field.name.to_owned(), 4 * i, field.kind)).collect();
        let (found, size) = params(&parse(&kernel.specialised(&[]))?)?;
        check(found == expected, || format!("the shader has {found:?},\n    the kernel {expected:?}"))?;
        check(size == 4 * kernel.params.len() as u32, || format!("Params has {size} bytes"))
    });
}

/// Everything the product records, on every kind of adapter: training steps, the search for Ω, a step of generation.
fn recordings() -> Vec<Recording> {
    let kinds =
        [AdapterKind::Hardware, AdapterKind::Software, AdapterKind::SoftwareOctets, AdapterKind::Reference];
    let device = Device::reference();
    let mut recordings = Vec::new();
    for model in [TinyModel::golden().train_all(), TinyModel::golden().adapt(4, 16)] {
        let Ok(run) = pollster::block_on(model.place(&device, 0.1)) else {
            unreachable!("the host has memory")
        };
        for kind in kinds {
            let mut tape = Tape::new(kind, device.max_slice_len(), Mode::Training { accumulate: false });
            let logits = run.model.output(&mut tape, &run.inputs).logits(&mut tape);
            let loss = tape.scratch(1, 1);
            cross_entropy(&mut tape, &logits, &run.inputs.labels(Dim::Sequences), 0.1, 1.0, &loss);
            tape.backward();
            run.model.linears().iter().for_each(|linear| linear.record_refresh(&mut tape));
            record_search(&mut tape);
            record_generation(&mut tape);
            recordings.push(tape.finish());
        }
    }
    recordings.extend(kinds.map(language_model_step));
    recordings
}

/// Memory for a trained parameter.
fn parameter(tape: &mut Tape, rows: usize, cols: usize) -> Tensor {
    Tensor::parameter(tape.scratch(rows, cols), tape.scratch(rows, cols), rows, cols)
}

/// Attention with a prefix, heads with coefficients, and the loss over a vocabulary in chunks.
fn language_model_step(kind: AdapterKind) -> Recording {
    let mut tape = Tape::new(kind, 1 << 25, Mode::Training { accumulate: false });
    let prefix = parameter(&mut tape, 8, 64);
    let coefficients = parameter(&mut tape, 1, 4);
    let weight = parameter(&mut tape, 1001, 64);
    let bias = parameter(&mut tape, 1, 1001);
    let x = tape.output(Dim::Tokens, 64, true);
    let keys = prepend::prepend(&mut tape, &prefix, &x);
    let values = prepend::prepend(&mut tape, &prefix, &x);
    let pairing = Pairing {
        ranges: tape.scratch(Dim::Tokens, 2),
        key_ranges: tape.scratch(Dim::Tokens, 4),
        key_stride: 64,
    };
    let heads = Heads { n_heads: 4, head_size: 16, dropout: 0.1 };
    let hidden = attention(&mut tape, &x, &keys, &values, &pairing, heads);
    let hidden = scale_columns::scale_columns(&mut tape, &hidden, &coefficients);
    scale_columns::l1_penalty(&mut tape, &coefficients, 1e-4);
    let (labels, loss) = (tape.scratch(Dim::Tokens, 1), tape.scratch(1, 1));
    let head = LmHead { weight: vec![weight], bias: Some(bias), max_rows: 1 << 16 };
    linear_cross_entropy(&mut tape, &hidden, &head, &labels, 0.1, 1.0, &loss);
    tape.backward();
    tape.finish()
}

/// New rows of keys and values, and the queries that meet them.
fn record_generation(tape: &mut Tape) {
    let x = tape.output(Dim::Tokens, 64, false);
    let (pool, ids) = (tape.scratch(100, 64), tape.scratch(Dim::Tokens, 1));
    cache::store_rows(tape, &x, &ids, &pool);
    let pairing = cache::CachedPairing {
        key_rows: tape.scratch(4, 25),
        max_keys: 25,
        places: tape.scratch(Dim::Tokens, 2),
    };
    for head_size in [16, 1] {
        let heads = Heads { n_heads: 64 / head_size, head_size, dropout: 0.0 };
        cache::attention_cached(tape, &x, [&pool, &pool], &pairing, heads);
    }
}

/// The ops of the search for trained positions, on a matrix of 1024 by 1024 at rank 16.
fn record_search(tape: &mut Tape) {
    let (rows, cols, count) = (1024, 1024, 64);
    let [w, d, r] = [0; 3].map(|_| tape.scratch(rows, cols));
    let indices = tape.scratch(1, count);
    select::largest(tape, &r, rows * cols, count, &indices);
    let parts = omega_exchange::Parts { w: w.clone(), d, r, indices, len: count };
    omega_exchange::leave_sparse(tape, &parts);
    omega_exchange::join_sparse(tape, &parts);
    cholesky::orthonormalise_rows(tape, &w, 16, cols);
}

#[test]
fn constants_in_use_are_tried() {
    let mut used = BTreeSet::new();
    let mut problems = BTreeSet::new();
    for dispatch in recordings().iter().flat_map(|recording| &recording.commands) {
        let Command::Dispatch(dispatch) = dispatch else { continue };
        used.insert(dispatch.kernel.name);
        let declared = settable(dispatch.kernel);
        for (name, value) in &dispatch.constants {
            let kernel = dispatch.kernel.name;
            match declared.iter().find(|(declared, _)| declared == name) {
                None => problems.insert(format!("{kernel} has no constant {name}")),
                Some((_, kind)) if !values_of(name, kind).contains(value) => {
                    problems.insert(format!("{kernel}: {name} = {value} is not among the values tried here"))
                }
                Some(_) => true,
            };
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(used.len() > kernels().count() * 2 / 3, "too few kernels were recorded: {used:?}");
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<&str> = kernels().map(|kernel| kernel.name).collect();
    assert_eq!(names.len(), kernels().count());
}

/// Shader files with their text.
fn shader_files() -> Vec<(String, String)> {
    let files = files_under("shaders/", ".wgsl");
    assert!(files.len() > 30, "shader files were not found");
    files.into_iter().map(|file| (file.clone(), text(&file))).collect()
}

#[test]
fn every_shader_file_is_part_of_a_kernel() {
    let unused: Vec<String> = shader_files()
        .into_iter()
        .filter(|(_, text)| !kernels().any(|kernel| kernel.source.contains(text.as_str())))
        .map(|(file, _)| file)
        .collect();
    assert!(unused.is_empty(), "no kernel in KERNELS is made of: {unused:?}");
}

#[test]
fn every_kernel_is_joined_from_whole_files() {
    let files = shader_files();
    for_every_kernel(|kernel| {
        let parts = files.iter().filter(|(_, text)| kernel.source.contains(text.as_str()));
        let bytes: usize = parts.map(|(_, text)| text.len() + 1).sum();
        check(bytes == kernel.source.len(), || "its source is more than its files joined by line ends".into())
    });
}

#[test]
fn headers_name_the_pieces_a_file_is_joined_with() {
    let files = shader_files();
    let (pieces, kernels_files): (Vec<_>, Vec<_>) =
        files.iter().partition(|(file, _)| file.starts_with("shaders/common/"));
    for_every_kernel(|kernel| {
        let has = |text: &str| kernel.source.contains(text);
        let own: Vec<_> = kernels_files.iter().filter(|(_, text)| has(text)).collect();
        // A product is its operands joined with a schedule; its op says with what else.
        let [(_, own)] = own.as_slice() else { return Ok(()) };
        let header: String = own.lines().take_while(|line| line.starts_with("//")).collect();
        let name = |file: &str| file.replace("shaders/", "").replace(".wgsl", "");
        for (piece, text) in &pieces {
            let (joined, said) = (has(text), header.contains(&name(piece)));
            check(joined == said, || {
                format!("joined with {}: {joined}; its header says so: {said}", name(piece))
            })?;
        }
        Ok(())
    });
}

#[test]
fn the_readme_lists_every_shader_file_and_no_other() {
    let readme = text("shaders/README.md");
    let row =
        |line: &str| line.strip_prefix("| `")?.split_once('`').map(|(file, _)| format!("shaders/{file}"));
    let listed: Vec<String> = readme.lines().filter_map(row).collect();
    let there: Vec<String> = files_under("shaders/", ".wgsl");
    let missing: Vec<_> = there.iter().filter(|file| !listed.contains(file)).collect();
    let gone: Vec<_> = listed.iter().filter(|file| !there.contains(file)).collect();
    assert!(missing.is_empty(), "add a row to shaders/README.md for {missing:?}");
    assert!(gone.is_empty(), "shaders/README.md lists {gone:?}, which do not exist");
    assert_eq!(listed.len(), there.len(), "a file is listed twice in shaders/README.md");
}
