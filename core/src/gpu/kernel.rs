//! What a compute kernel is: its WGSL, its interface, and the same computation on the CPU.

use super::reference::Buffers;

/// One storage buffer of a kernel. Binding 0 is always the params block; these follow from binding 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Name of the variable in the shader.
    pub name: &'static str,
    /// Whether the kernel writes to it (`read_write`).
    pub writes: bool,
}

/// A buffer the kernel only reads.
#[must_use]
pub const fn read(name: &'static str) -> Binding {
    Binding { name, writes: false }
}

/// A buffer the kernel writes, and may read.
#[must_use]
pub const fn write(name: &'static str) -> Binding {
    Binding { name, writes: true }
}

/// Scalar types of params fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// `u32`
    U32,
    /// `f32`
    F32,
}

/// One scalar of the params block; field `i` stands at byte `4 i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name of the member in the shader's `Params`.
    pub name: &'static str,
    /// Its type.
    pub kind: FieldKind,
}

/// A `u32` field.
#[must_use]
pub const fn uint(name: &'static str) -> Field {
    Field { name, kind: FieldKind::U32 }
}

/// An `f32` field.
#[must_use]
pub const fn float(name: &'static str) -> Field {
    Field { name, kind: FieldKind::F32 }
}

/// A value for an `override` constant of a shader, written into its text before compilation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constant {
    /// `u32`
    U32(u32),
    /// `bool`
    Bool(bool),
}

impl From<u32> for Constant {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}

impl From<bool> for Constant {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::U32(x) => write!(f, "{x}u"),
            Self::Bool(x) => write!(f, "{x}"),
        }
    }
}

/// A compute kernel: the WGSL file `shaders/<name>.wgsl`, its interface, and its double on the CPU.
#[derive(Debug)]
pub struct Kernel {
    /// Name of the file, of labels and of the entry in `shaders/README.md`.
    pub name: &'static str,
    /// The file joined with the common pieces it names.
    pub source: &'static str,
    /// Members of `Params`, in order.
    pub params: &'static [Field],
    /// Storage buffers from binding 1 on.
    pub bindings: &'static [Binding],
    /// The same computation in plain loops.
    pub reference: fn(&mut ReferenceCall<'_>),
}

impl Kernel {
    /// The source with its `override` constants fixed to `constants`, or to their defaults.
    ///
    /// Some browsers reject an override as the length of a workgroup array, and constants let compilers unroll:
    /// so `override X: T = d;` becomes `const X: T = v;`, and so does a plain `const` that is named here.
    /// The shader tests check that every name exists.
    #[must_use]
    pub fn specialised(&self, constants: &[(&'static str, Constant)]) -> String {
        let mut text = String::with_capacity(self.source.len() + 64);
        for line in self.source.lines() {
            match constant_of(line) {
                Some((name, kind, default)) => {
                    let value = lookup(constants, name).map_or(default.to_owned(), |value| value.to_string());
                    text.push_str(&format!("const {name}: {kind} = {value};"));
                }
                None => text.push_str(line),
            }
            text.push('\n');
        }
        text
    }
}

fn lookup(constants: &[(&'static str, Constant)], name: &str) -> Option<Constant> {
    constants.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

/// Name, type and default of the module constant declared on this line, if it declares one the host may set.
#[must_use]
pub fn constant_of(line: &str) -> Option<(&str, &str, &str)> {
    let declaration = line.strip_prefix("override ").or_else(|| line.strip_prefix("const "))?;
    let (name, rest) = declaration.split_once(':')?;
    let (kind, rest) = rest.split_once('=')?;
    let (default, _) = rest.split_once(';')?;
    Some((name.trim(), kind.trim(), default.trim()))
}

/// Joins a shader file with the common pieces it uses, at compile time.
#[macro_export]
macro_rules! wgsl {
    ($($file:literal),+) => {
        concat!($(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../shaders/", $file, ".wgsl")), "\n"),+)
    };
}

/// One dispatch as the CPU double sees it.
#[derive(Debug)]
pub struct ReferenceCall<'a> {
    pub(super) kernel: &'static Kernel,
    pub(super) constants: &'a [(&'static str, Constant)],
    pub(super) params: Vec<u32>,
    pub(super) buffers: Buffers,
}

impl ReferenceCall<'_> {
    fn param(&self, name: &str) -> u32 {
        let position = self.kernel.params.iter().position(|field| field.name == name);
        self.params[position.unwrap_or_else(|| panic!("{} has no param {name}", self.kernel.name))]
    }

    /// The params field `name`.
    #[must_use]
    pub fn uint(&self, name: &str) -> usize {
        self.param(name) as usize
    }

    /// The params field `name`.
    #[must_use]
    pub fn float(&self, name: &str) -> f32 {
        f32::from_bits(self.param(name))
    }

    /// The constant `name`, false where it was not given.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        lookup(self.constants, name) == Some(Constant::Bool(true))
    }

    /// The constant `name`, 0 where it was not given.
    #[must_use]
    pub fn constant(&self, name: &str) -> u32 {
        match lookup(self.constants, name) {
            Some(Constant::U32(x)) => x,
            _ => 0,
        }
    }

    fn index(&self, name: &str) -> usize {
        let position = self.kernel.bindings.iter().position(|binding| binding.name == name);
        position.unwrap_or_else(|| panic!("{} has no buffer {name}", self.kernel.name))
    }

    /// A copy of buffer `name` as numbers.
    #[must_use]
    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.uints(name).into_iter().map(f32::from_bits).collect()
    }

    /// A copy of buffer `name` as words.
    #[must_use]
    pub fn uints(&self, name: &str) -> Vec<u32> {
        self.buffers.read(self.index(name))
    }

    /// Changes buffer `name` in place as numbers.
    pub fn update(&mut self, name: &str, change: impl FnOnce(&mut [f32])) {
        let index = self.index(name);
        assert!(self.kernel.bindings[index].writes, "{} only reads {name}", self.kernel.name);
        let mut words: Vec<f32> = self.floats(name);
        change(&mut words);
        self.buffers.write(index, bytemuck::cast_slice(&words));
    }

    /// Changes buffer `name` in place as words.
    pub fn update_uints(&mut self, name: &str, change: impl FnOnce(&mut [u32])) {
        let index = self.index(name);
        assert!(self.kernel.bindings[index].writes, "{} only reads {name}", self.kernel.name);
        let mut words = self.uints(name);
        change(&mut words);
        self.buffers.write(index, &words);
    }
}
