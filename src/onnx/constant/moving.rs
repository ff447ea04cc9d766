//! What puts elements of known tensors elsewhere: each result is a shape and, for each element, its place in the input.

use super::{Call, broadcast, broadcast_places, counted, listed, places, strides, taken};
use crate::onnx::rules::{
    axes, axis, elements, gathered, reshaped, sliced, split_sizes, squeezed, unsqueezed,
};
use crate::onnx::tensor::{Data, Tensor};
use crate::tensor::Shape;

pub(super) const KNOWN: &[&str] = &[
    "Concat",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "NonZero",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Trilu",
    "Unsqueeze",
];

impl Call<'_, '_> {
    pub(super) fn moved(&self) -> Result<Vec<Tensor>, String> {
        let one = |tensor: Tensor| Ok(vec![tensor]);
        match self.operator {
            "Concat" => one(self.concatenated()?),
            "Split" => self.split(),
            "Expand" => {
                let (x, sizes) = (self.input(0)?, sizes(self.ints(1)?)?);
                let shape = broadcast(&x.shape, &sizes)?;
                one(taken(x, shape.clone(), &broadcast_places(&x.shape, &shape)?)?)
            }
            "Flatten" => {
                let x = self.input(0)?;
                let at = self.attributes.int("axis", 1)?;
                let rank = x.shape.len();
                let at = if at == rank as i64 { rank } else { axis(at, rank)? };
                self.viewed(Shape::from([elements(&x.shape[..at])?, elements(&x.shape[at..])?]))
            }
            "Reshape" => {
                let x = self.input(0)?;
                let shape = reshaped(&x.shape, self.ints(1)?, self.attributes.flag("allowzero", false)?)?;
                self.viewed(shape)
            }
            "Squeeze" => self.viewed(squeezed(&self.input(0)?.shape, self.list("axes", 1)?)?),
            "Unsqueeze" => {
                let axes = self.list("axes", 1)?.ok_or("its axes are missing")?;
                self.viewed(unsqueezed(&self.input(0)?.shape, axes)?)
            }
            "Gather" => one(self.gathered()?),
            "GatherElements" => one(self.gathered_elements()?),
            "GatherND" => one(self.gathered_slices()?),
            "NonZero" => one(self.non_zero()?),
            "Slice" => one(self.slice()?),
            "Tile" => {
                let (x, repeats) = (self.input(0)?, sizes(self.ints(1)?)?);
                if repeats.len() != x.shape.len() {
                    return Err(format!("{} repeats for {}", repeats.len(), x.shape));
                }
                let to: Vec<usize> =
                    x.shape.iter().zip(&repeats).map(|(&a, &b)| a.saturating_mul(b)).collect();
                let (to, own) = (Shape::from(to), strides(&x.shape));
                one(taken(x, to.clone(), &places(&to, |d, i| i % x.shape[d] * own[d])?)?)
            }
            "Transpose" => one(self.transposed()?),
            _ => one(self.triangle()?),
        }
    }

    /// The first input under another shape of as many elements.
    fn viewed(&self, shape: Shape) -> Result<Vec<Tensor>, String> {
        let x = self.input(0)?;
        if shape.elements() != x.elements() {
            return Err(format!(
                "{} has {} elements, {shape} has {}",
                x.shape,
                x.elements(),
                shape.elements()
            ));
        }
        Ok(vec![Tensor { shape, ..x.clone() }])
    }

    fn concatenated(&self) -> Result<Tensor, String> {
        let first = self.input(0)?;
        let along = self.axis(0, first.shape.len())?;
        let (outer, mut shape) = (first.shape[..along].iter().product::<usize>(), first.shape.to_vec());
        let parts: Result<Vec<&Tensor>, String> = (0..self.inputs.len()).map(|i| self.input(i)).collect();
        let parts = parts?;
        shape[along] = 0;
        for part in &parts {
            let fits = part.shape.len() == shape.len()
                && part.element == first.element
                && (0..shape.len()).all(|d| d == along || part.shape[d] == shape[d]);
            if !fits {
                return Err(format!(
                    "can't join {}{} and {}{} along axis {along}",
                    first.element, first.shape, part.element, part.shape
                ));
            }
            shape[along] = shape[along].saturating_add(part.shape[along]);
        }
        let shape = Shape::from(shape);
        counted(&shape)?;
        fn join<T: Copy>(outer: usize, parts: &[&[T]]) -> Vec<T> {
            let run = |part: &[T]| part.len().checked_div(outer).unwrap_or(0);
            (0..outer)
                .flat_map(|o| {
                    parts.iter().flat_map(move |part| part[o * run(part)..][..run(part)].iter().copied())
                })
                .collect()
        }
        let data = match &first.data {
            Data::Float(_) => {
                Data::Float(join(outer, &parts.iter().filter_map(|p| p.as_floats()).collect::<Vec<_>>()))
            }
            Data::Double(_) => {
                Data::Double(join(outer, &parts.iter().filter_map(|p| p.as_doubles()).collect::<Vec<_>>()))
            }
            Data::Int(_) => {
                Data::Int(join(outer, &parts.iter().filter_map(|p| p.as_ints()).collect::<Vec<_>>()))
            }
            Data::Bool(_) => {
                Data::Bool(join(outer, &parts.iter().filter_map(|p| p.as_bools()).collect::<Vec<_>>()))
            }
        };
        Ok(Tensor { element: first.element, shape, data })
    }

    fn split(&self) -> Result<Vec<Tensor>, String> {
        let x = self.input(0)?;
        let along = self.axis(0, x.shape.len())?;
        self.attributes.ignore(&["num_outputs"]);
        let parts = split_sizes(x.shape[along], self.list("split", 1)?, self.outputs)?;
        let own = strides(&x.shape);
        let mut start = 0;
        let mut made = Vec::with_capacity(parts.len());
        for size in parts {
            let mut shape = x.shape.to_vec();
            shape[along] = size;
            let shape = Shape::from(shape);
            let at = |d: usize, i: usize| if d == along { (start + i) * own[d] } else { i * own[d] };
            made.push(taken(x, shape.clone(), &places(&shape, at)?)?);
            start += size;
        }
        Ok(made)
    }

    fn gathered(&self) -> Result<Tensor, String> {
        let (x, indices) = (self.input(0)?, self.input(1)?);
        let along = self.axis(0, x.shape.len())?;
        let list = wrapped(self.ints(1)?, x.shape[along])?;
        let (shape, own) = (gathered(&x.shape, along, &indices.shape), strides(&x.shape));
        let (inner, taken_strides) = (indices.shape.len(), strides(&indices.shape));
        let count = counted(&shape)?;
        // The index of each element, and the place of its other coordinates.
        let which = places(&shape, |d, i| {
            if (along..along + inner).contains(&d) { i * taken_strides[d - along] } else { 0 }
        })?;
        let others = places(&shape, |d, i| match d {
            d if d < along => i * own[d],
            d if d < along + inner => 0,
            d => i * own[d + 1 - inner],
        })?;
        taken(x, shape, &listed(count, |i| others[i] + list[which[i]] * own[along])?)
    }

    fn gathered_elements(&self) -> Result<Tensor, String> {
        let (x, indices) = (self.input(0)?, self.input(1)?);
        let along = self.axis(0, x.shape.len())?;
        let fits = indices.shape.len() == x.shape.len()
            && (0..x.shape.len()).all(|d| d == along || indices.shape[d] <= x.shape[d]);
        if !fits {
            return Err(format!("indices {} don't fit {} along axis {along}", indices.shape, x.shape));
        }
        let (list, own) = (wrapped(self.ints(1)?, x.shape[along])?, strides(&x.shape));
        let others = places(&indices.shape, |d, i| if d == along { 0 } else { i * own[d] })?;
        taken(x, indices.shape.clone(), &listed(others.len(), |i| others[i] + list[i] * own[along])?)
    }

    fn gathered_slices(&self) -> Result<Tensor, String> {
        let (x, indices) = (self.input(0)?, self.input(1)?);
        let batch =
            usize::try_from(self.attributes.int("batch_dims", 0)?).map_err(|_| "batch_dims is negative")?;
        let Some((&depth, outer)) = indices.shape.split_last() else {
            return Err("indices have no dimension".into());
        };
        if batch > outer.len() || batch + depth > x.shape.len() || x.shape[..batch] != outer[..batch] {
            return Err(format!(
                "indices {} don't fit {} with {batch} batch dimensions",
                indices.shape, x.shape
            ));
        }
        let shape = Shape::from([outer, &x.shape[batch + depth..]].concat());
        counted(&shape)?;
        let (list, own) = (self.ints(1)?, strides(&x.shape));
        let run: usize = x.shape[batch + depth..].iter().product();
        let rows: usize = outer.iter().product();
        let batches: usize = outer[..batch].iter().product();
        let mut found = Vec::new();
        for row in 0..rows {
            let mut place = row / (rows / batches) * x.shape[batch..].iter().product::<usize>();
            for k in 0..depth {
                place += wrapped(&[list[row * depth + k]], x.shape[batch + k])?[0] * own[batch + k];
            }
            found.extend(place..place + run);
        }
        taken(x, shape, &found)
    }

    fn non_zero(&self) -> Result<Tensor, String> {
        let x = self.input(0)?;
        let found: Vec<usize> =
            x.to_f64().iter().enumerate().filter(|(_, x)| **x != 0.0).map(|(i, _)| i).collect();
        let shape = Shape::from([x.shape.len(), found.len()]);
        counted(&shape)?;
        let own = strides(&x.shape);
        let coordinates = own.iter().zip(x.shape.iter());
        let data = coordinates
            .flat_map(|(stride, size)| found.iter().map(move |i| (i / stride % size) as i64))
            .collect();
        Ok(Tensor::ints(crate::onnx::ElementType::I64, shape, data))
    }

    fn slice(&self) -> Result<Tensor, String> {
        let x = self.input(0)?;
        let (starts, ends) = (
            self.list("starts", 1)?.ok_or("starts are missing")?,
            self.list("ends", 2)?.ok_or("ends are missing")?,
        );
        let parts = sliced(&x.shape, starts, ends, self.list("axes", 3)?, self.maybe_ints(4)?)?;
        let (shape, own) =
            (Shape::from(parts.iter().map(|part| part.size).collect::<Vec<_>>()), strides(&x.shape));
        let at =
            |d: usize, i: usize| (parts[d].start as isize + i as isize * parts[d].step) as usize * own[d];
        taken(x, shape.clone(), &places(&shape, at)?)
    }

    fn transposed(&self) -> Result<Tensor, String> {
        let x = self.input(0)?;
        let rank = x.shape.len();
        let order = match self.attributes.ints("perm")? {
            Some(order) => axes(order, rank)?,
            None => (0..rank).rev().collect(),
        };
        if order.len() != rank {
            return Err(format!("an order of {} axes for {}", order.len(), x.shape));
        }
        let own = strides(&x.shape);
        let shape = Shape::from(order.iter().map(|&axis| x.shape[axis]).collect::<Vec<_>>());
        taken(x, shape.clone(), &places(&shape, |d, i| i * own[order[d]])?)
    }

    fn triangle(&self) -> Result<Tensor, String> {
        let mut x = self.input(0)?.clone();
        let &[.., rows, columns] = &x.shape[..] else {
            return Err(format!("expects a matrix, found {}", x.shape));
        };
        let k = match self.maybe_ints(1)? {
            None => 0,
            Some(&[k]) => k,
            Some(other) => return Err(format!("its diagonal must be one number, found {}", other.len())),
        };
        let upper = self.attributes.flag("upper", true)?;
        let kept = |i: usize| {
            let (row, column) = ((i / columns % rows) as i64, (i % columns) as i64);
            let above = (column - row).cmp(&k);
            if upper { above.is_ge() } else { above.is_le() }
        };
        match &mut x.data {
            Data::Float(data) => {
                data.iter_mut().enumerate().filter(|(i, _)| !kept(*i)).for_each(|(_, x)| *x = 0.0)
            }
            Data::Double(data) => {
                data.iter_mut().enumerate().filter(|(i, _)| !kept(*i)).for_each(|(_, x)| *x = 0.0)
            }
            Data::Int(data) => {
                data.iter_mut().enumerate().filter(|(i, _)| !kept(*i)).for_each(|(_, x)| *x = 0)
            }
            Data::Bool(data) => {
                data.iter_mut().enumerate().filter(|(i, _)| !kept(*i)).for_each(|(_, x)| *x = false)
            }
        }
        Ok(x)
    }
}

/// Sizes, none of them negative.
fn sizes(list: &[i64]) -> Result<Vec<usize>, String> {
    list.iter()
        .map(|&size| usize::try_from(size).map_err(|_| format!("a size of {size} is negative")))
        .collect()
}

/// Indices that may count from the end.
fn wrapped(list: &[i64], size: usize) -> Result<Vec<usize>, String> {
    let one = |&given: &i64| {
        let from = if given < 0 { given.saturating_add(size as i64) } else { given };
        usize::try_from(from)
            .ok()
            .filter(|&i| i < size)
            .ok_or_else(|| format!("index {given} is outside of {size}"))
    };
    list.iter().map(one).collect()
}
