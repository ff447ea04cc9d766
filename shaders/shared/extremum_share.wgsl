// What an element gets of the gradient of the largest or smallest: those that equal it share.
fn extremum_share(x: Element, extremum: Element, count: Element, dy: Element) -> Element {
    return select(Element(), dy / count, x == extremum);
}
