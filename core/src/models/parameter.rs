//! Parameters of a model and how files hold them. Inside, every linear map is (d_out, d_in) and stands alone; GPT-2's
//! files hold its maps transposed, and query, key and value side by side in one tensor.

use crate::checkpoint::load::ParamSpec;
use crate::nn::outline::Place;

/// One parameter of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Full name, with the prefix of the family.
    pub name: String,
    /// Its shape here.
    pub shape: Vec<usize>,
    /// Whether a file may lack it (a new head); it then starts fresh.
    pub optional: bool,
    /// Whether only single rows are read, so that it may be split by rows.
    pub is_table: bool,
    /// Where in the model it belongs.
    pub place: Place,
    /// How files hold it.
    pub stored: Stored,
}

/// How a file holds a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Under the same name, in the same shape.
    Same,
    /// As one of several equal blocks along the last axis, with the axes of a matrix exchanged (transformers' `Conv1D`).
    Conv1d {
        /// Name of the tensor in the file.
        tensor: String,
        /// Which block, from 0.
        block: usize,
        /// How many blocks.
        n_blocks: usize,
    },
}

/// One tensor of a file and the parameters in it, in the order of its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What it holds: one parameter as it is, or the blocks of a `Conv1D`.
    pub parts: Vec<&'a Parameter>,
}

impl Parameter {
    /// Name of the tensor in a file that holds it.
    #[must_use]
    pub fn file_name(&self) -> &str {
        match &self.stored {
            Stored::Same => &self.name,
            Stored::Conv1d { tensor, .. } => tensor,
        }
    }

    /// Shape of that tensor.
    #[must_use]
    pub fn file_shape(&self) -> Vec<usize> {
        match (&self.stored, self.shape.as_slice()) {
            (Stored::Conv1d { n_blocks, .. }, [d_out, d_in]) => vec![*d_in, d_out * n_blocks],
            (Stored::Conv1d { n_blocks, .. }, [d_out]) => vec![d_out * n_blocks],
            (_, shape) => shape.to_vec(),
        }
    }
}

/// The tensors of a file that hold these parameters, each once.
#[must_use]
pub fn file_tensors(parameters: &[Parameter]) -> Vec<FileTensor<'_>> {
    let mut tensors: Vec<FileTensor<'_>> = Vec::new();
    for parameter in parameters {
        // Blocks of one tensor follow each other.
        match tensors.last_mut() {
            Some(last) if last.name == parameter.file_name() => last.parts.push(parameter),
            _ => tensors.push(FileTensor {
                name: parameter.file_name(),
                shape: parameter.file_shape(),
                parts: vec![parameter],
            }),
        }
    }
    tensors
}

impl FileTensor<'_> {
    /// What is asked of a file.
    #[must_use]
    pub fn spec(&self) -> ParamSpec {
        let optional = self.parts.iter().all(|part| part.optional);
        ParamSpec { name: self.name.to_owned(), shape: self.shape.clone(), optional }
    }

    /// The values of the file's tensor from those of its parts.
    #[must_use]
    pub fn join(&self, mut values: impl FnMut(&str) -> Vec<f32>) -> Vec<f32> {
        let [first, ..] = self.parts.as_slice() else { return Vec::new() };
        if first.stored == Stored::Same {
            return values(&first.name);
        }
        let n_columns = self.shape.last().copied().unwrap_or(1);
        let mut joined = vec![0.0; self.shape.iter().product()];
        let width = n_columns / self.parts.len();
        for (block, part) in self.parts.iter().enumerate() {
            let d_in = if part.shape.len() > 1 { part.shape[1] } else { 1 };
            for (i, value) in values(&part.name).into_iter().enumerate() {
                let (row, column) = (i / d_in, i % d_in);
                joined[column * n_columns + block * width + row] = value;
            }
        }
        joined
    }
}

/// Lists parameters in the order of modules.
#[derive(Clone, Debug)]
pub(super) struct ParameterList {
    pub parameters: Vec<Parameter>,
    /// Whether what is added from here on may be absent from a file.
    pub optional: bool,
    /// Where what is added from here on belongs.
    pub place: Place,
}

impl Default for ParameterList {
    fn default() -> Self {
        Self { parameters: Vec::new(), optional: false, place: Place::Embedding }
    }
}

impl ParameterList {
    /// Any parameter that files hold as it is.
    pub fn push(&mut self, name: String, shape: &[usize]) {
        let (shape, optional, place) = (shape.to_vec(), self.optional, self.place);
        let stored = Stored::Same;
        self.parameters.push(Parameter { name, shape, optional, is_table: false, place, stored });
    }

    /// An embedding.
    pub fn table(&mut self, name: String, rows: usize, cols: usize) {
        self.push(name, &[rows, cols]);
        if let Some(table) = self.parameters.last_mut() {
            table.is_table = true;
        }
    }

    /// Weight and bias of a linear map.
    pub fn linear(&mut self, module: &str, d_out: usize, d_in: usize) {
        self.push(format!("{module}.weight"), &[d_out, d_in]);
        self.push(format!("{module}.bias"), &[d_out]);
    }

    /// Weight and bias of a layer norm.
    pub fn layer_norm(&mut self, module: &str, size: usize) {
        self.push(format!("{module}.weight"), &[size]);
        self.push(format!("{module}.bias"), &[size]);
    }

    /// Weights and biases of maps that a file holds as one `Conv1D` module: all weights, then all biases.
    pub fn conv1d(&mut self, module: &str, parts: &[String], d_out: usize, d_in: usize) {
        let n_blocks = parts.len();
        for (kind, shape) in [("weight", vec![d_out, d_in]), ("bias", vec![d_out])] {
            for (block, part) in parts.iter().enumerate() {
                self.push(format!("{part}.{kind}"), &shape);
                if let Some(added) = self.parameters.last_mut() {
                    added.stored = Stored::Conv1d { tensor: format!("{module}.{kind}"), block, n_blocks };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Blocks, HostTensor};

    fn matrix(rows: usize, cols: usize) -> HostTensor {
        HostTensor { shape: vec![rows, cols], data: (0..rows * cols).map(|i| i as f32).collect() }
    }

    #[test]
    fn blocks_are_transposed_and_joined_again() {
        let mut list = ParameterList::default();
        list.conv1d("h.c_attn", &["q", "k", "v"].map(str::to_owned), 2, 3);
        let tensors = file_tensors(&list.parameters);
        assert_eq!((tensors.len(), tensors[0].shape.as_slice()), (2, &[3, 6][..]));
        assert_eq!(tensors[1].shape, [6]);
        let file = matrix(3, 6);
        let value = file.block(2, 3);
        assert_eq!(
            (value.shape.as_slice(), value.data),
            (&[2, 3][..], vec![4.0, 10.0, 16.0, 5.0, 11.0, 17.0])
        );
        let parts = ["q.weight", "k.weight", "v.weight"];
        let part = |name: &str| parts.iter().position(|part| *part == name).unwrap_or_default();
        assert_eq!(tensors[0].join(|name| file.block(part(name), 3).data), file.data);
        let bias = HostTensor { shape: vec![6], data: (0..6u8).map(f32::from).collect() };
        assert_eq!(bias.block(1, 3), HostTensor { shape: vec![2], data: vec![2.0, 3.0] });
        let parts = ["q.bias", "k.bias", "v.bias"];
        let part = |name: &str| parts.iter().position(|part| *part == name).unwrap_or_default();
        assert_eq!(tensors[1].join(|name| bias.block(part(name), 3).data), bias.data);
    }

    #[test]
    fn the_same_tensor_is_itself() {
        let mut list = ParameterList::default();
        list.linear("a", 2, 3);
        let tensors = file_tensors(&list.parameters);
        assert_eq!(tensors[0].join(|_| matrix(2, 3).data), matrix(2, 3).data);
        assert_eq!(tensors[0].spec().shape, [2, 3]);
    }
}
