//! Writes protobuf messages by hand, for models that no exporter makes.

/// A field of bytes: a string or a message.
pub fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field of an integer.
pub fn int(tag: u64, number: i64) -> Vec<u8> {
    [varint(tag << 3), varint(number as u64)].concat()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A node without attributes, named after its output.
pub fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    field(1, &[inputs, field(2, output.as_bytes()), field(4, operator.as_bytes())].concat())
}

/// A float input or output; `None` for a dimension without a size.
pub fn port(tag: u64, name: &str, sizes: &[Option<i64>]) -> Vec<u8> {
    let dimension = |size: &Option<i64>| field(1, &size.map_or_else(|| field(2, b"N"), |size| int(1, size)));
    let shape: Vec<u8> = sizes.iter().flat_map(dimension).collect();
    let tensor = [int(1, 1), field(2, &shape)].concat();
    field(tag, &[field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat())
}

/// A float initialiser, with the fields that say where its numbers are.
pub fn initializer(name: &str, sizes: &[i64], data: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = sizes.iter().flat_map(|&size| int(1, size)).collect();
    field(5, &[sizes, int(2, 1), field(8, name.as_bytes()), data.to_vec()].concat())
}

/// Fields of a tensor whose data lies in another file.
pub fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| {
        field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
    };
    [entries.iter().flat_map(entry).collect(), int(14, 1)].concat()
}

/// A model of operator set 17 from the fields of its graph.
pub fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    [int(1, 8), field(7, &graph.concat()), field(8, &int(2, 17))].concat()
}

/// A node with an attribute that is a list of integers.
pub fn with_ints(operator: &str, inputs: &[&str], output: &str, name: &str, list: &[i64]) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
    let list: Vec<u8> = list.iter().flat_map(|&number| int(8, number)).collect();
    let attribute = [field(1, name.as_bytes()), list, int(20, 7)].concat();
    let named = [field(2, output.as_bytes()), field(4, operator.as_bytes())].concat();
    field(1, &[inputs, named, field(5, &attribute)].concat())
}

/// Numbers of an initialiser.
pub fn floats(numbers: &[f32]) -> Vec<u8> {
    field(9, &numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
}
