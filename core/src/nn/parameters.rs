//! Parameters on the device: frozen ones each in their own memory, trained ones together in a flat arena with their
//! gradients and moments, so that one dispatch updates them all.

use std::collections::BTreeMap;

use crate::checkpoint::{HostTensor, NamedTensors};
use crate::gpu::recording::SLICE_ALIGNMENT;
use crate::gpu::{Device, Extent, GpuError, Resident};
use crate::ops::adamw::Page;
use crate::tape::Tensor;

/// A parameter that is trained.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Its name, unique among trained parameters.
    pub name: String,
    /// Its first values; 1-D tensors count as one row.
    pub value: HostTensor,
    /// Whether weight decay acts on it.
    pub decays: bool,
}

/// One kind of number the arena holds for every trained parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArenaPart {
    /// The parameters.
    Value,
    /// Their gradients.
    Gradient,
    /// AdamW's first moments.
    FirstMoment,
    /// AdamW's second moments.
    SecondMoment,
}

/// Where consecutive rows of a trained parameter lie.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    page: usize,
    offset: usize,
    rows: usize,
    cols: usize,
}

#[derive(Debug)]
struct PageMemory {
    parts: [Resident; 4],
    len: usize,
    decay_end: usize,
}

/// All parameters of a model on one device.
#[derive(Debug)]
pub struct Parameters {
    device: Device,
    tensors: BTreeMap<String, Vec<Tensor>>,
    shapes: BTreeMap<String, Vec<usize>>,
    frozen: BTreeMap<String, FrozenMemory>,
    slots: Vec<Slot>,
    pages: Vec<PageMemory>,
}

/// Where a frozen parameter lies: consecutive rows, so many in each part.
#[derive(Debug)]
struct FrozenMemory {
    parts: Vec<Resident>,
    rows_per_part: usize,
}

/// Rows and columns of a tensor, a vector being one row.
#[must_use]
pub fn matrix_shape(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [n] => (1, *n),
        [rows, rest @ ..] => (*rows, rest.iter().product()),
    }
}

impl Parameters {
    /// Uploads frozen and trained parameters.
    ///
    /// # Errors
    /// Memory errors of the device; a single row larger than the adapter's binding limit.
    pub fn new(device: &Device, frozen: &NamedTensors, trained: Vec<Trained>) -> Result<Self, GpuError> {
        let mut parameters = Self {
            device: device.clone(),
            tensors: BTreeMap::new(),
            shapes: BTreeMap::new(),
            frozen: BTreeMap::new(),
            slots: Vec::new(),
            pages: Vec::new(),
        };
        for (name, tensor) in frozen {
            parameters.add_frozen(name, tensor)?;
        }
        parameters.add_trained(trained)?;
        Ok(parameters)
    }

    /// Uploads one frozen parameter, in parts of whole rows where it exceeds what a kernel can see.
    ///
    /// # Errors
    /// As [`Parameters::new`].
    pub fn add_frozen(&mut self, name: &str, tensor: &HostTensor) -> Result<(), GpuError> {
        self.reserve_frozen(name, &tensor.shape)?;
        self.write_rows(name, 0, &tensor.data);
        Ok(())
    }

    /// Makes room for one frozen parameter, whose rows [`Parameters::write_rows`] fills.
    ///
    /// # Errors
    /// As [`Parameters::new`].
    pub fn reserve_frozen(&mut self, name: &str, shape: &[usize]) -> Result<(), GpuError> {
        let (rows, cols) = matrix_shape(shape);
        let per_part = self.rows_per_part(name, cols)?;
        let (mut parts, mut memory) = (Vec::new(), Vec::new());
        for start in (0..rows).step_by(per_part) {
            let part_rows = per_part.min(rows - start);
            let resident = self.device.create(name, part_rows * cols)?;
            parts.push(Tensor::constant(resident.slice(0, part_rows * cols), part_rows, cols));
            memory.push(resident);
        }
        self.shapes.insert(name.to_owned(), shape.to_vec());
        self.tensors.insert(name.to_owned(), parts);
        self.frozen.insert(name.to_owned(), FrozenMemory { parts: memory, rows_per_part: per_part });
        Ok(())
    }

    /// Writes whole rows of a frozen parameter, from row `first` on.
    ///
    /// # Panics
    /// If there was no room made for them.
    pub fn write_rows(&self, name: &str, first: usize, data: &[f32]) {
        let cols = matrix_shape(&self.shapes[name]).1;
        let FrozenMemory { parts, rows_per_part } = &self.frozen[name];
        let (mut row, mut rest) = (first, data);
        while !rest.is_empty() {
            let in_part = row % rows_per_part;
            let n_values = ((rows_per_part - in_part) * cols).min(rest.len());
            let (piece, after) = rest.split_at(n_values);
            self.device.write(&parts[row / rows_per_part], in_part * cols, piece);
            row += n_values / cols;
            rest = after;
        }
    }

    /// Uploads a list of numbers, such as the positions of Ω.
    ///
    /// # Errors
    /// Memory errors of the device.
    pub fn add_words(&mut self, name: &str, words: &[u32]) -> Result<(), GpuError> {
        let resident = self.device.upload(name, words)?;
        let tensor = Tensor::constant(resident.slice(0, words.len()), 1, words.len());
        self.tensors.insert(name.to_owned(), vec![tensor]);
        Ok(())
    }

    fn rows_per_part(&self, name: &str, cols: usize) -> Result<usize, GpuError> {
        let rows = self.device.max_slice_len() / cols.max(1);
        if rows == 0 {
            return Err(GpuError::TooLarge {
                label: format!("one row of {name}"),
                needed: cols as u64 * 4,
                available: self.device.report().max_binding_bytes,
            });
        }
        Ok(rows)
    }

    fn add_trained(&mut self, mut trained: Vec<Trained>) -> Result<(), GpuError> {
        // Decaying parameters first: one boundary per page then says what decays.
        trained.sort_by_key(|parameter| !parameter.decays);
        let layout = self.lay_out(&trained)?;
        for (len, decay_end) in layout {
            let create = |part: &str| self.device.create(&format!("arena {part}"), len);
            let parts = [create("value")?, create("gradient")?, create("m")?, create("v")?];
            self.pages.push(PageMemory { parts, len, decay_end });
        }
        for parameter in &trained {
            self.shapes.insert(parameter.name.clone(), parameter.value.shape.clone());
            self.write(ArenaPart::Value, &parameter.name, &parameter.value.data);
        }
        for slot in &self.slots {
            let page = &self.pages[slot.page];
            let slice = |part: usize| page.parts[part].slice(slot.offset, slot.rows * slot.cols);
            let tensor = Tensor::parameter(slice(0), slice(1), slot.rows, slot.cols);
            self.tensors.entry(slot.name.clone()).or_default().push(tensor);
        }
        Ok(())
    }

    /// Places every trained parameter; gives length and end of decay of each page.
    fn lay_out(&mut self, trained: &[Trained]) -> Result<Vec<(usize, usize)>, GpuError> {
        let capacity = self.device.max_slice_len();
        let mut pages: Vec<(usize, usize)> = Vec::new();
        for parameter in trained {
            let (rows, cols) = matrix_shape(&parameter.value.shape);
            let per_part = self.rows_per_part(&parameter.name, cols)?;
            for start in (0..rows).step_by(per_part) {
                let part_rows = per_part.min(rows - start);
                let len = (part_rows * cols).next_multiple_of(SLICE_ALIGNMENT);
                if pages.last().is_none_or(|(used, _)| used + len > capacity) {
                    pages.push((0, 0));
                }
                let n_pages = pages.len();
                if let Some((used, decay_end)) = pages.last_mut() {
                    let (name, page, offset) = (parameter.name.clone(), n_pages - 1, *used);
                    self.slots.push(Slot { name, page, offset, rows: part_rows, cols });
                    *used += len;
                    if parameter.decays {
                        *decay_end = *used;
                    }
                }
            }
        }
        Ok(pages)
    }

    /// The parts of parameter `name`, consecutive rows each.
    ///
    /// # Panics
    /// If there is none: model and parameter list are ours.
    #[must_use]
    pub fn parts(&self, name: &str) -> &[Tensor] {
        self.tensors.get(name).unwrap_or_else(|| panic!("no parameter {name}"))
    }

    /// The parameter `name`, which must not be split.
    ///
    /// # Panics
    /// If there is none, or it has several parts.
    #[must_use]
    pub fn get(&self, name: &str) -> &Tensor {
        match self.parts(name) {
            [tensor] => tensor,
            parts => panic!("{name} is split into {} parts", parts.len()),
        }
    }

    /// Whether there is a parameter `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The arena as AdamW and the gradient norm see it.
    #[must_use]
    pub fn pages(&self) -> Vec<Page> {
        let page = |page: &PageMemory| {
            let slice = |part: usize| page.parts[part].slice(0, Extent::new(page.len, 1));
            Page {
                value: slice(0),
                gradient: slice(1),
                m: slice(2),
                v: slice(3),
                len: page.len,
                decay_end: page.decay_end,
            }
        };
        self.pages.iter().map(page).collect()
    }

    /// Trained numbers.
    #[must_use]
    pub fn n_trained(&self) -> usize {
        self.slots.iter().map(|slot| slot.rows * slot.cols).sum()
    }

    /// Writes one part of the arena for the trained parameter `name`.
    ///
    /// # Panics
    /// If the length does not fit.
    pub fn write(&self, part: ArenaPart, name: &str, data: &[f32]) {
        let mut rest = data;
        for slot in self.slots.iter().filter(|slot| slot.name == name) {
            let (piece, after) = rest.split_at(slot.rows * slot.cols);
            self.device.write(&self.pages[slot.page].parts[part as usize], slot.offset, piece);
            rest = after;
        }
        assert!(rest.is_empty(), "{name} has another length");
    }

    /// Sets one part of the arena to zero for the trained parameter `name`, if there is one.
    pub fn clear(&self, part: ArenaPart, name: &str) {
        for slot in self.slots.iter().filter(|slot| slot.name == name) {
            let zeros = vec![0f32; slot.rows * slot.cols];
            self.device.write(&self.pages[slot.page].parts[part as usize], slot.offset, &zeros);
        }
    }

    /// Reads one part of the arena for every trained parameter, by name.
    ///
    /// # Errors
    /// Whatever went wrong on the device until then.
    pub async fn read(&self, part: ArenaPart) -> Result<NamedTensors, GpuError> {
        let mut pages = Vec::with_capacity(self.pages.len());
        for page in &self.pages {
            pages.push(self.device.read::<f32>(&page.parts[part as usize], 0, page.len).await?);
        }
        let mut tensors = NamedTensors::new();
        for slot in &self.slots {
            let shape = self.shapes[&slot.name].clone();
            let tensor =
                tensors.entry(slot.name.clone()).or_insert_with(|| HostTensor { shape, data: Vec::new() });
            tensor.data.extend(&pages[slot.page][slot.offset..][..slot.rows * slot.cols]);
        }
        Ok(tensors)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn trained(name: &str, shape: &[usize], decays: bool) -> Trained {
        let n = shape.iter().product::<usize>();
        let value = HostTensor { shape: shape.to_vec(), data: (0..n).map(|i| i as f32).collect() };
        Trained { name: name.into(), value, decays }
    }

    #[test]
    fn the_arena_gives_back_what_it_holds() {
        let device = Device::reference();
        let list = vec![trained("bias", &[5], false), trained("weight", &[3, 4], true)];
        let parameters = Parameters::new(&device, &NamedTensors::new(), list).unwrap();
        assert_eq!(parameters.n_trained(), 17);
        let pages = parameters.pages();
        // The weight comes first, aligned to 64; only it decays.
        assert_eq!((pages.len(), pages[0].len, pages[0].decay_end), (1, 128, 64));
        let values = pollster::block_on(parameters.read(ArenaPart::Value)).unwrap();
        assert_eq!(values["weight"].shape, [3, 4]);
        assert_eq!(values["weight"].data[11], 11.0);
        assert_eq!(values["bias"].data, [0.0, 1.0, 2.0, 3.0, 4.0]);
        parameters.write(ArenaPart::FirstMoment, "bias", &[9.0; 5]);
        let moments = pollster::block_on(parameters.read(ArenaPart::FirstMoment)).unwrap();
        assert_eq!(moments["bias"].data, [9.0; 5]);
        assert_eq!(moments["weight"].data, [0.0; 12]);
        parameters.clear(ArenaPart::Value, "weight");
        parameters.clear(ArenaPart::Value, "no parameter");
        let values = pollster::block_on(parameters.read(ArenaPart::Value)).unwrap();
        assert_eq!((values["weight"].data[11], values["bias"].data[4]), (0.0, 4.0));
    }
}
