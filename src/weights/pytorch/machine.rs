//! The stack machine that reads pickles. It knows the opcodes that `torch.save` writes, calls nothing, and takes memory
//! in proportion to the pickle.

use super::globals;
use super::input::Input;
use super::opcodes::{self, *};
use super::values::{Heap, Value, kind};
use crate::file::printable;

/// The most values and marks on the stack. Python writes the contents of lists and dicts in batches of a thousand.
const MOST_STACKED: usize = 1 << 20;

/// The most values that are remembered.
const MOST_MEMOIZED: usize = 1 << 20;

/// Reads one pickle after the other. What they make lies in the heap.
pub(super) struct Machine<'b> {
    input: Input<'b>,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    pub heap: Heap,
}

impl<'b> Machine<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Machine<'b> {
        let heap = Heap::default();
        Machine { input: Input { bytes, at: 0 }, stack: vec![], marks: vec![], memo: vec![], heap }
    }

    /// The byte behind the last pickle.
    pub(super) fn at(&self) -> usize {
        self.input.at
    }

    /// Whether the bytes ended within a pickle.
    pub(super) fn is_at_end(&self) -> bool {
        self.input.at >= self.input.bytes.len()
    }

    /// Reads the next pickle. The error says at which byte and opcode.
    pub(super) fn run(&mut self) -> Result<Value, String> {
        (self.stack, self.marks, self.memo) = (vec![], vec![], vec![]);
        let start = self.input.at;
        loop {
            let at = self.input.at;
            let opcode = self.input.byte().map_err(|what| format!("at byte {at}: {what}"))?;
            let fault = |what: String| format!("at byte {at}, opcode {}: {what}", opcodes::name(opcode));
            self.step(opcode, at, start).map_err(fault)?;
            if opcode == STOP {
                return match self.stack[..] {
                    [value] if self.marks.is_empty() => Ok(value),
                    _ => Err(fault(format!("{} values are left, expected one", self.stack.len()))),
                };
            }
            if self.stack.len() + self.marks.len() > MOST_STACKED {
                return Err(fault(format!("more than {MOST_STACKED} values are on the stack")));
            }
        }
    }

    fn step(&mut self, opcode: u8, at: usize, start: usize) -> Result<(), String> {
        match opcode {
            PROTO => match self.input.byte()? {
                0..=5 => {}
                other => return Err(format!("the pickle has protocol {other}, the latest known is 5")),
            },
            FRAME => drop(self.input.take(8)?),
            STOP => {}
            MARK => self.marks.push(self.stack.len()),
            POP => drop(self.pop()?),
            POP_MARK => {
                let from = self.mark()?;
                self.stack.truncate(from);
            }

            NONE => self.stack.push(Value::None),
            NEWTRUE => self.stack.push(Value::Bool(true)),
            NEWFALSE => self.stack.push(Value::Bool(false)),
            BININT => {
                let number = self.input.number(4)? as u32 as i32;
                self.stack.push(Value::Int(number.into()));
            }
            BININT1 | BININT2 => {
                let number = self.input.number(if opcode == BININT1 { 1 } else { 2 })?;
                self.stack.push(Value::Int(number as i64));
            }
            LONG1 | LONG4 => {
                let bytes = self.input.sized(if opcode == LONG1 { 1 } else { 4 })?;
                let value = self.input.integer(bytes);
                self.stack.push(value);
            }
            BINFLOAT => {
                self.input.take(8)?;
                self.stack.push(Value::Ignored);
            }
            SHORT_BINSTRING | SHORT_BINUNICODE => self.text(1)?,
            BINSTRING | BINUNICODE => self.text(4)?,
            BINUNICODE8 => self.text(8)?,
            SHORT_BINBYTES | BINBYTES | BINBYTES8 => {
                self.input.sized(match opcode {
                    SHORT_BINBYTES => 1,
                    BINBYTES => 4,
                    _ => 8,
                })?;
                self.stack.push(Value::Ignored);
            }

            EMPTY_TUPLE | EMPTY_LIST | EMPTY_DICT => {
                let number = self.heap.make(vec![])?;
                self.stack.push(match opcode {
                    EMPTY_TUPLE => Value::Tuple(number),
                    EMPTY_LIST => Value::List(number),
                    _ => Value::Dict(number),
                });
            }
            EMPTY_SET => self.stack.push(Value::Ignored),
            TUPLE => {
                let from = self.mark()?;
                self.tuple(from)?;
            }
            TUPLE1 | TUPLE2 | TUPLE3 => {
                let count = usize::from(opcode - TUPLE1) + 1;
                let from = self.floor(count)?;
                self.tuple(from)?;
            }
            FROZENSET => {
                let from = self.mark()?;
                self.stack.truncate(from);
                self.stack.push(Value::Ignored);
            }
            APPEND | SETITEM => {
                let from = self.floor(if opcode == APPEND { 1 } else { 2 })?;
                self.add(from, opcode == SETITEM)?;
            }
            APPENDS | SETITEMS | ADDITEMS => {
                let from = self.mark()?;
                self.add(from, opcode == SETITEMS)?;
            }

            BINPUT => self.input.byte().and_then(|index| self.put(index.into(), at - start))?,
            LONG_BINPUT => self.input.number(4).and_then(|index| self.put(index as usize, at - start))?,
            MEMOIZE => self.put(self.memo.len(), at - start)?,
            BINGET | LONG_BINGET => {
                let index = self.input.number(if opcode == BINGET { 1 } else { 4 })?;
                let value = self.memo.get(index as usize).copied().flatten();
                let value = value.ok_or_else(|| format!("nothing was memoized under {index}"))?;
                self.stack.push(value);
            }

            GLOBAL => {
                let [module, name] = [self.input.line()?, self.input.line()?];
                self.global(module, name)?;
            }
            STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err(format!("found {} and {}, expected two strings", kind(module), kind(name)));
                };
                self.global(module.of(self.input.bytes), name.of(self.input.bytes))?;
            }
            REDUCE | NEWOBJ => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let (Value::Global(function), Value::Tuple(arguments)) = (function, arguments) else {
                    return Err(format!(
                        "it calls {} with {}, expected a function and a tuple",
                        kind(function),
                        kind(arguments)
                    ));
                };
                let made = self.heap.call(function, arguments, at)?;
                self.stack.push(made);
            }
            // Attributes of an object, such as the versions of layers in a state dict.
            BUILD => {
                self.pop()?;
                self.top()?;
            }
            BINPERSID => {
                let id = self.pop()?;
                let storage = self.heap.storage(id, self.input.bytes)?;
                self.stack.push(storage);
            }
            other => return Err(format!("{other:#04x} is no opcode of torch.save; {}", super::SAVE_DICT)),
        }
        Ok(())
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let span = self.input.sized(width)?;
        self.stack.push(Value::Text(span));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, String> {
        let from = self.floor(1)?;
        Ok(self.stack.split_off(from)[0])
    }

    fn top(&self) -> Result<Value, String> {
        self.stack.last().copied().ok_or_else(|| "the stack is empty".into())
    }

    /// Where the last `count` values begin, which must lie above the last mark.
    fn floor(&self, count: usize) -> Result<usize, String> {
        let lowest = self.marks.last().copied().unwrap_or(0);
        let found = self.stack.len() - lowest;
        if found < count {
            return Err(format!("found {found} values on the stack, expected {count}"));
        }
        Ok(self.stack.len() - count)
    }

    /// Where the values above the last mark begin.
    fn mark(&mut self) -> Result<usize, String> {
        self.marks.pop().ok_or_else(|| "there is no mark on the stack".into())
    }

    fn tuple(&mut self, from: usize) -> Result<(), String> {
        let contents = self.stack.split_off(from);
        let number = self.heap.make(contents)?;
        self.stack.push(Value::Tuple(number));
        Ok(())
    }

    /// Adds the values from `from` on to the object below them.
    fn add(&mut self, from: usize, pairs: bool) -> Result<(), String> {
        let lowest = self.marks.last().copied().unwrap_or(0);
        let Some(&object) = self.stack.get(lowest..from).and_then(<[Value]>::last) else {
            return Err("there is no object below the values".into());
        };
        let more = &self.stack[from..];
        match (object, pairs) {
            (Value::Ignored, _) => {}
            (Value::List(number), false) => self.heap.extend(number, more)?,
            (Value::Dict(number), true) if more.len().is_multiple_of(2) => self.heap.extend(number, more)?,
            (Value::Dict(_), true) => return Err("a key has no value".into()),
            (other, _) => return Err(format!("nothing can be added to {}", kind(other))),
        }
        self.stack.truncate(from);
        Ok(())
    }

    /// Remembers the last value. Python numbers what it remembers in order, so a number of more than the bytes so far is
    /// no number of its.
    fn put(&mut self, index: usize, read: usize) -> Result<(), String> {
        let value = self.top()?;
        if index > read || index >= MOST_MEMOIZED {
            return Err(format!(
                "the memo has no place {index} after {read} bytes, and {MOST_MEMOIZED} places in all"
            ));
        }
        if index >= self.memo.len() {
            self.memo.resize(index + 1, None);
        }
        self.memo[index] = Some(value);
        Ok(())
    }

    fn global(&mut self, module: &[u8], name: &[u8]) -> Result<(), String> {
        let [module, name] = [module, name].map(String::from_utf8_lossy);
        let found = globals::find(&module, &name).ok_or_else(|| {
            format!(
                "it needs the Python object \"{}\", and no code of a file is run; {}",
                printable(&format!("{module}.{name}")),
                super::SAVE_DICT
            )
        })?;
        self.stack.push(Value::Global(found));
        Ok(())
    }
}
