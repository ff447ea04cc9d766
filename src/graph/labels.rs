//! The permitted range of labels and indices. Each reader of a tensor states its own, and a label has to suit all
//! readers.

/// The class labels or indices that an operator permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LabelRange {
    /// Labels run from 0 to `classes - 1`.
    pub classes: usize,
    /// Which labels outside this range are permitted.
    pub ignored: Ignored,
}

/// Permitted labels outside the classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ignored {
    /// None.
    Nothing,
    /// This one, which the loss ignores.
    Label(i32),
    /// Those that any loss with the same labels ignores, or -100 if there is no loss.
    AsLosses,
}

/// The labels that all readers of one tensor permit. A label is permitted if every reader permits it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct LabelRanges {
    readers: Vec<Reader>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Reader {
    range: LabelRange,
    name: String,
}

impl LabelRanges {
    /// Whether every label is permitted.
    pub fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    /// Labels below this are permitted by every reader; `None` if every label is permitted.
    pub(crate) fn classes(&self) -> Option<usize> {
        self.readers.iter().map(|reader| reader.range.classes).min()
    }

    /// Adds a reader's range; messages call the reader `name`. Among readers that ignore the same label only the one
    /// with the fewest classes is kept.
    pub(crate) fn restrict(&mut self, range: LabelRange, name: impl FnOnce() -> String) {
        match self.readers.iter_mut().find(|reader| reader.range.ignored == range.ignored) {
            Some(reader) if reader.range.classes <= range.classes => {}
            Some(reader) => *reader = Reader { range, name: name() },
            None => self.readers.push(Reader { range, name: name() }),
        }
    }

    /// Fails at the first label that a reader does not permit.
    ///
    /// # Errors
    /// A message with the label, its position, the range, and which node reads it.
    pub fn check(&self, labels: &[i32]) -> Result<(), String> {
        let Some(common) = self.classes() else {
            return Ok(());
        };
        let outside =
            |&(_, label): &(usize, &i32)| usize::try_from(*label).map_or(true, |label| label >= common);
        for (i, &label) in labels.iter().enumerate().filter(outside) {
            if let Some(reader) = self.readers.iter().find(|reader| !self.permits(reader, label)) {
                return Err(self.refusal(reader, label, i));
            }
        }
        Ok(())
    }

    fn permits(&self, reader: &Reader, label: i32) -> bool {
        let LabelRange { classes, ignored } = reader.range;
        usize::try_from(label).is_ok_and(|label| label < classes)
            || match ignored {
                Ignored::Nothing => false,
                Ignored::Label(ignored) => label == ignored,
                Ignored::AsLosses => self.ignored_by_losses().any(|ignored| label == ignored),
            }
    }

    fn ignored_by_losses(&self) -> impl Iterator<Item = i32> {
        let labels = self.readers.iter().filter_map(|reader| match reader.range.ignored {
            Ignored::Label(label) => Some(label),
            _ => None,
        });
        let default = labels.clone().next().is_none().then_some(-100);
        labels.chain(default)
    }

    fn refusal(&self, reader: &Reader, label: i32, position: usize) -> String {
        let Reader { range: LabelRange { classes, ignored }, name } = reader;
        let ignored = match ignored {
            Ignored::Nothing => {
                return format!(
                    "index {label} at position {position} is outside 0..{classes}, the rows that {name} indexes; check the rows that are indexed"
                );
            }
            Ignored::Label(ignored) => ignored.to_string(),
            Ignored::AsLosses => {
                self.ignored_by_losses().map(|label| label.to_string()).collect::<Vec<_>>().join(" or ")
            }
        };
        format!(
            "label {label} at position {position} is outside 0..{classes} (and is not {ignored}, the ignored label), the classes of {name}; check the data set's classes"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READERS: [LabelRange; 5] = [
        LabelRange { classes: 5, ignored: Ignored::Label(-100) },
        LabelRange { classes: 4, ignored: Ignored::Label(255) },
        LabelRange { classes: 3, ignored: Ignored::Nothing },
        LabelRange { classes: 6, ignored: Ignored::AsLosses },
        LabelRange { classes: 2, ignored: Ignored::Label(-100) },
    ];

    /// Every set of readers, in every order, permits what each of them permits alone.
    #[test]
    fn a_label_is_permitted_where_every_reader_permits_it_whatever_their_order() {
        for set in 0..1usize << READERS.len() {
            let chosen: Vec<LabelRange> =
                (0..READERS.len()).filter(|i| set >> i & 1 == 1).map(|i| READERS[i]).collect();
            let mut ignored: Vec<i32> = chosen
                .iter()
                .filter_map(|r| if let Ignored::Label(l) = r.ignored { Some(l) } else { None })
                .collect();
            if ignored.is_empty() {
                ignored.push(-100);
            }
            let by_hand = |label: i32| {
                chosen.iter().all(|reader| {
                    (0..reader.classes as i32).contains(&label)
                        || match reader.ignored {
                            Ignored::Nothing => false,
                            Ignored::Label(own) => own == label,
                            Ignored::AsLosses => ignored.contains(&label),
                        }
                })
            };
            for turn in 0..chosen.len().max(1) {
                let mut readers = chosen.clone();
                readers.rotate_left(turn);
                for reversed in [false, true] {
                    if reversed {
                        readers.reverse();
                    }
                    let mut ranges = LabelRanges::default();
                    readers.iter().for_each(|&range| ranges.restrict(range, || "a reader".into()));
                    for label in [-101, -100, -1, 0, 1, 2, 3, 4, 5, 6, 255, i32::MIN, i32::MAX] {
                        assert_eq!(ranges.check(&[label]).is_ok(), by_hand(label), "{label} of {readers:?}");
                    }
                }
            }
        }
    }
}
