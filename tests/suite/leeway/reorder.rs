//! Takes the factors of each product of several in another order, as compilers may: what overflows on the way in one order
//! does not in another.

use super::tokens::tokens;
use naga::{BinaryOperator, Expression};
use std::collections::BTreeSet;
use std::ops::Range;

/// The last factor first, and then the others.
pub fn products_are_reordered(text: &str) -> String {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let functions = module.functions.iter().map(|(_, function)| function);
    let mut products: BTreeSet<(usize, std::cmp::Reverse<usize>)> = BTreeSet::new();
    for function in functions.chain(module.entry_points.iter().map(|entry| &entry.function)) {
        for (handle, expression) in function.expressions.iter() {
            let place = function.expressions.get_span(handle).to_range();
            if let (Expression::Binary { op: BinaryOperator::Multiply, .. }, Some(place)) =
                (expression, place)
            {
                products.insert((place.start, std::cmp::Reverse(place.end)));
            }
        }
    }
    let products: Vec<Range<usize>> = products.into_iter().map(|(start, end)| start..end.0).collect();
    rewritten(text, &products, 0..text.len())
}

/// A part of the text with the products in it reordered. Longer products come before those that they begin with.
fn rewritten(text: &str, products: &[Range<usize>], part: Range<usize>) -> String {
    let (mut result, mut at) = (String::new(), part.start);
    for product in products {
        if product.start < at || product.end > part.end || *product == part {
            continue;
        }
        let Some(mut factors) = factors(text, product.clone()).filter(|factors| factors.len() > 2) else {
            continue;
        };
        factors.rotate_right(1);
        let factors: Vec<String> =
            factors.into_iter().map(|factor| rewritten(text, products, factor)).collect();
        result.push_str(&text[at..product.start]);
        result.push_str(&factors.join(" * "));
        at = product.end;
    }
    result + &text[at..part.end]
}

/// The factors of a product, also of products in brackets among them; `None` if there is another operator.
fn factors(text: &str, product: Range<usize>) -> Option<Vec<Range<usize>>> {
    let tokens = tokens(&text[product.clone()]);
    let word = |i: usize| &text[product.start + tokens[i].place.start..product.start + tokens[i].place.end];
    let ends_operand =
        |i: usize| word(i).ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '.'));
    let mut signs = Vec::new();
    for i in (1..tokens.len()).filter(|&i| tokens[i].depth == 0 && ends_operand(i - 1)) {
        match word(i) {
            "*" => signs.push(product.start + tokens[i].place.start),
            "(" | ")" | "[" | "]" | "." | "," => {}
            word if word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.')) => {}
            _ => return None,
        }
    }
    let mut all = Vec::new();
    let mut start = product.start;
    for end in signs.into_iter().chain([product.end]) {
        let own = text[start..end].trim();
        let first = start + (text[start..end].len() - text[start..end].trim_start().len());
        let place = first..first + own.len();
        match inner(own).and_then(|inner| factors(text, first + inner.start..first + inner.end)) {
            Some(more) => all.extend(more),
            None => all.push(place),
        }
        start = end + 1;
    }
    Some(all)
}

/// What is within brackets around a whole text.
fn inner(text: &str) -> Option<Range<usize>> {
    let whole = text.starts_with('(') && text.ends_with(')');
    let closes = tokens(text).iter().filter(|token| token.depth == 0).count() == 2;
    (whole && closes).then(|| 1..text.len() - 1)
}
