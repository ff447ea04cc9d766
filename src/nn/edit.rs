//! Editing of networks: layers found by position or by name, replaced, inserted, removed and frozen. Running them is
//! in `container.rs`.

use super::container::{Child, Container};
use super::{Layer, Sequential};
use crate::error::{Error, Result};

/// Which layer of a [`Sequential`]: by number from 0, or by name. Numbers and texts convert to it.
///
/// A name may be a path through nested containers, such as `layer4.1.conv2`. It is the name of the layer's parameters
/// without their last part, so layers added by [`Sequential::inline`] have none and are passed through. If several
/// layers have the name, it is the first one's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position<'a> {
    /// The layer of this number, counted without what is nested.
    Number(usize),
    /// The layer of this name.
    Name(&'a str),
}

impl From<usize> for Position<'_> {
    fn from(number: usize) -> Self {
        Position::Number(number)
    }
}

impl<'a> From<&'a str> for Position<'a> {
    fn from(name: &'a str) -> Self {
        Position::Name(name)
    }
}

impl<'a> From<&'a String> for Position<'a> {
    fn from(name: &'a String) -> Self {
        Position::Name(name)
    }
}

impl Sequential {
    /// Number of layers, without those nested in others.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The layers with their names, in order. Layers added by [`Sequential::inline`] have none.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Option<&str>, &dyn Layer)> {
        self.0.children.iter().map(|child| (child.name.as_deref(), &*child.layer))
    }

    /// A layer, by number or by name. `None` if there is no such layer.
    ///
    /// ```
    /// use wgrad::nn;
    ///
    /// let net = nn::models::resnet18(3, 1000);
    /// assert!(net.get(0).is_some() && net.get("layer4.1.conv2").is_some());
    /// assert!(net.get("layer5").is_none());
    /// assert_eq!(net.iter().next().map(|(name, _)| name), Some(Some("conv1")));
    /// ```
    pub fn get<'a>(&self, at: impl Into<Position<'a>>) -> Option<&dyn Layer> {
        let path = self.0.locate(at.into())?;
        Some(&*self.0.child(&path)?.layer)
    }

    /// Puts another layer in the place of one, under its name, and returns the old one. The new layer is not frozen.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn;
    ///
    /// let mut net = nn::models::resnet18(3, 1000);
    /// net.replace("fc", nn::Linear::new(512, 5))?; // another number of classes
    /// net.replace("layer4.1.conv2", nn::Conv2d::new(512, 512, [3, 3]).padding([2, 2]).dilation([2, 2]).bias(false))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No such layer; one within a container that an [`Arc`](std::sync::Arc) shares.
    pub fn replace<'a>(
        &mut self,
        at: impl Into<Position<'a>>,
        layer: impl Layer + 'static,
    ) -> Result<Box<dyn Layer>> {
        let (children, number) = self.0.edited(at.into())?;
        let child = &mut children[number];
        child.frozen = false;
        Ok(std::mem::replace(&mut child.layer, Box::new(layer)))
    }

    /// Puts a layer in front of another, in a scope of its own. The number of all layers appends it. The others keep
    /// their names, so that their weights still load.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut net = wgrad::nn::models::resnet18(3, 10);
    /// net.insert("fc", "dropout", wgrad::nn::Dropout::new(0.5))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Sequential::replace`].
    pub fn insert<'a>(
        &mut self,
        at: impl Into<Position<'a>>,
        name: impl Into<String>,
        layer: impl Layer + 'static,
    ) -> Result<()> {
        let at = at.into();
        if at == Position::Number(self.len()) {
            self.0.push(Some(name.into()), layer);
            return Ok(());
        }
        let (children, number) = self.0.edited(at)?;
        children.insert(number, Child { name: Some(name.into()), layer: Box::new(layer), frozen: false });
        Ok(())
    }

    /// Removes a layer and returns it. The others keep their names, so that their weights still load.
    ///
    /// # Errors
    /// As [`Sequential::replace`].
    pub fn remove<'a>(&mut self, at: impl Into<Position<'a>>) -> Result<Box<dyn Layer>> {
        let (children, number) = self.0.edited(at.into())?;
        Ok(children.remove(number).layer)
    }

    /// Cuts the network in two: keeps the layers in front of `at`, and returns it and those behind it. They keep their
    /// names.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::{Graph, Mode};
    ///
    /// let mut body = nn::models::resnet18(3, 1000);
    /// let head = body.split_off("fc")?; // `body` makes the features
    /// let mut g = Graph::new();
    /// let images = g.input("images", [2, 3, 64, 64])?;
    /// let features = body.forward(&mut g, images, Mode::Eval)?;
    /// assert_eq!(g.shape(features)?[..], [2, 512]);
    /// assert_eq!(head.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No such layer, or one that is nested in another.
    pub fn split_off<'a>(&mut self, at: impl Into<Position<'a>>) -> Result<Sequential> {
        let number = self.own(at.into())?;
        let mut rest = Sequential::new();
        rest.0.children = self.0.children.split_off(number);
        Ok(rest)
    }

    /// Keeps the layers in front of `at` alone.
    ///
    /// # Errors
    /// As [`Sequential::split_off`].
    pub fn truncate<'a>(&mut self, at: impl Into<Position<'a>>) -> Result<()> {
        self.split_off(at).map(drop)
    }

    /// Freezes a layer with all that is nested in it. It runs as in evaluation in every mode: batch norm uses its
    /// running statistics and does not update them, and dropout is off. Its parameters stay in the weights, and no
    /// optimizer trains them. Gradients pass through it to layers in front of it, if there are any to train.
    ///
    /// # Errors
    /// As [`Sequential::replace`].
    pub fn freeze<'a>(&mut self, at: impl Into<Position<'a>>) -> Result<()> {
        let (children, number) = self.0.edited(at.into())?;
        children[number].frozen = true;
        Ok(())
    }

    /// Freezes all layers in front of `at`, as [`Sequential::freeze`]: with `"fc"`, all but the head. A step then has
    /// no gradients and no updates of them.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::{Graph, Mode};
    ///
    /// let mut net = nn::models::resnet18(3, 10);
    /// net.freeze_before("fc")?;
    /// net.unfreeze("layer4")?;
    /// let mut g = Graph::new();
    /// let images = g.input("images", [2, 3, 64, 64])?;
    /// let labels = g.input_i32("labels", 2)?;
    /// let logits = net.forward(&mut g, images, Mode::Train)?;
    /// let loss = g.cross_entropy(logits, labels)?;
    /// assert!(g.backward(loss)?.iter().all(|&(parameter, _)| !g.is_frozen(parameter)));
    /// assert!(g.is_frozen(g.find("layer3.1.conv2.weight").unwrap()));
    /// assert!(!g.is_frozen(g.find("layer4.0.conv1.weight").unwrap()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Sequential::split_off`].
    pub fn freeze_before<'a>(&mut self, at: impl Into<Position<'a>>) -> Result<()> {
        let number = self.own(at.into())?;
        self.0.children[..number].iter_mut().for_each(|child| child.frozen = true);
        Ok(())
    }

    /// Undoes [`Sequential::freeze`] for a layer. What is nested in it and was frozen by itself stays so.
    ///
    /// # Errors
    /// As [`Sequential::replace`]; a layer within a frozen one.
    pub fn unfreeze<'a>(&mut self, at: impl Into<Position<'a>>) -> Result<()> {
        let at = at.into();
        let path = self.0.locate(at).ok_or_else(|| self.0.unknown(at))?;
        let frozen = (1..path.len()).find(|&depth| self.0.child(&path[..depth]).is_some_and(|c| c.frozen));
        if frozen.is_some() {
            return Err(Error::Graph(format!(
                "{} lies within a frozen layer; unfreeze that one, and freeze the rest of it again",
                shown(at)
            )));
        }
        let (children, number) = self.0.edited(at)?;
        children[number].frozen = false;
        Ok(())
    }

    /// The number of a layer that is not nested.
    fn own(&self, at: Position<'_>) -> Result<usize> {
        match self.0.locate(at).as_deref() {
            Some(&[number]) => Ok(number),
            Some(_) => Err(Error::Graph(format!(
                "{} is nested in another layer, expected one of the network's own: {}",
                shown(at),
                self.0.names()
            ))),
            None => Err(self.0.unknown(at)),
        }
    }
}

fn shown(at: Position<'_>) -> String {
    match at {
        Position::Number(number) => format!("layer {number}"),
        Position::Name(name) => format!("layer \"{name}\""),
    }
}

impl Container {
    /// The numbers that lead to a layer, from the outermost container inwards.
    fn locate(&self, at: Position<'_>) -> Option<Vec<usize>> {
        let name = match at {
            Position::Number(number) => return (number < self.len()).then(|| vec![number]),
            Position::Name(name) => name,
        };
        let mut open = vec![(self, 0, name)];
        while let Some((container, next, rest)) = open.last_mut() {
            let Some(child) = container.children.get(*next) else {
                open.pop();
                continue;
            };
            *next += 1;
            let below = match child.name.as_deref() {
                Some(own) if own == *rest => return Some(open.iter().map(|open| open.1 - 1).collect()),
                Some(own) => rest.strip_prefix(own).and_then(|rest| rest.strip_prefix('.')),
                None => Some(*rest),
            };
            if let (Some(rest), Some(inner)) = (below, child.layer.container()) {
                open.push((inner, 0, rest));
            }
        }
        None
    }

    /// The layer at the end of this path.
    fn child(&self, path: &[usize]) -> Option<&Child> {
        let (&last, outer) = path.split_last()?;
        let mut container = self;
        for &number in outer {
            container = container.children.get(number)?.layer.container()?;
        }
        container.children.get(last)
    }

    /// The layers among which one is, and its number among them.
    fn edited(&mut self, at: Position<'_>) -> Result<(&mut Vec<Child>, usize)> {
        let path = self.locate(at).ok_or_else(|| self.unknown(at))?;
        let (&last, outer) = path.split_last().expect("a path has at least one number");
        let mut container = self;
        for &number in outer {
            container = container.children[number].layer.container_mut().ok_or_else(|| {
                Error::Graph(format!(
                    "{} lies in a container that an Arc shares, which can't be changed; change it before it is shared, or replace it as a whole",
                    shown(at)
                ))
            })?;
        }
        Ok((&mut container.children, last))
    }

    fn unknown(&self, at: Position<'_>) -> Error {
        Error::Graph(format!(
            "the network has no {}; it has {} layers: {}",
            shown(at),
            self.len(),
            self.names()
        ))
    }

    /// The first few names, for errors.
    fn names(&self) -> String {
        let names = self.children.iter().take(24).map(|child| child.name.as_deref().unwrap_or("(inline)"));
        let rest = if self.len() > 24 { ", ..." } else { "" };
        format!("{}{rest}", names.collect::<Vec<_>>().join(", "))
    }
}
