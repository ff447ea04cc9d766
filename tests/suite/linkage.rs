//! What WGSL files say of each other in their heads: that it is true, and the table of it in `shaders/README.md`.

use crate::harness::{root, snapshot};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use wgrad::shader::{Function, Hole, Kernel, ShaderFile};

/// Where the table stands.
const TABLE: &str = "shaders/README.md";

/// What fills holes from Rust.
const WRITERS: [&str; 3] = ["the plan", "the operator", "the session"];

fn all() -> Vec<&'static ShaderFile> {
    ShaderFile::kernels().iter().chain(ShaderFile::parts()).copied().collect()
}

fn named(name: &str) -> Option<&'static ShaderFile> {
    all().into_iter().find(|file| file.name() == name)
}

/// The files that fill a hole. Of those that operators bring none is named.
fn fillers(hole: &Hole) -> Vec<&'static ShaderFile> {
    let mut files: Vec<_> = hole.by.iter().filter_map(|by| named(by)).collect();
    if hole.by.contains(&"the operator") {
        files.extend(all().iter().filter(|file| file.fills().contains(&hole.name)));
    }
    files
}

/// A file and all that it uses.
fn with_needs(file: &'static ShaderFile) -> Vec<&'static ShaderFile> {
    let mut found = vec![file];
    let mut next = 0;
    while let Some(&user) = found.get(next) {
        for name in user.uses() {
            let part = ShaderFile::part(name).unwrap_or_else(|| panic!("{} uses {name}", user.path()));
            if !found.iter().any(|known| known.name() == part.name()) {
                found.push(part);
            }
        }
        next += 1;
    }
    found
}

fn code(file: &ShaderFile) -> String {
    let lines = file.text().lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// Names that a file declares at the outermost level, and of the functions that it leaves open.
fn declared(file: &'static ShaderFile) -> BTreeSet<String> {
    let code = code(file);
    let mut names: BTreeSet<String> = BTreeSet::new();
    for line in code.lines().filter(|line| !line.starts_with([' ', '}'])) {
        let line = line.split_once(')').filter(|_| line.starts_with("@group")).map_or(line, |(_, rest)| rest);
        let line =
            line.split_once(')').filter(|_| line.contains("@binding")).map_or(line, |(_, rest)| rest).trim();
        let rest = ["fn ", "struct ", "alias ", "const "].iter().find_map(|word| line.strip_prefix(word));
        let rest = rest.or_else(|| Some(line.strip_prefix("var<")?.split_once('>')?.1.trim()));
        if let Some(rest) = rest {
            names.extend(
                words(rest.split([':', '(', '=', '{']).next().unwrap_or_default())
                    .iter()
                    .map(|&n| n.to_owned()),
            );
        }
    }
    let holes = file.holes().iter();
    names.extend(
        holes
            .flat_map(|hole| hole.functions.iter().map(Function::name).chain([hole.name]))
            .map(str::to_owned),
    );
    names
}

/// Types of the parameters and of the result.
fn types(signature: &str) -> (Vec<String>, String) {
    let (parameters, result) = signature.rsplit_once(')').expect("a function has parameters");
    let (_, parameters) = parameters.split_once('(').expect("a function has parameters");
    let (mut list, mut depth, mut own) = (Vec::new(), 0, String::new());
    for c in parameters.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => {
                list.push(std::mem::take(&mut own));
                continue;
            }
            _ => {}
        }
        own.push(c);
    }
    list.push(own);
    let ty =
        |parameter: &String| parameter.split_once(':').map_or(String::new(), |(_, ty)| ty.replace(' ', ""));
    (
        list.iter().map(ty).filter(|ty| !ty.is_empty()).collect(),
        result.replace([' ', '{'], "").trim_start_matches("->").to_owned(),
    )
}

#[test]
fn every_file_is_listed_under_a_name_of_its_own() {
    let mut found = BTreeSet::new();
    for tree in ["kernels", "parts"] {
        for family in std::fs::read_dir(root().join("shaders").join(tree)).expect("the folder can be listed")
        {
            let family = family.expect("the folder can be listed").path();
            for file in std::fs::read_dir(&family).expect("families are folders") {
                let path = file.expect("the folder can be listed").path().with_extension("");
                let below = path.strip_prefix(root().join("shaders")).expect("the file is below shaders");
                found.insert(below.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    let listed: BTreeSet<String> = all().iter().map(|file| file.path().to_owned()).collect();
    assert_eq!(found, listed);
    let names: BTreeSet<&str> = all().iter().map(|file| file.name()).collect();
    assert_eq!(names.len(), listed.len(), "two files have one name");
    for file in all() {
        let lines = file.text().lines().count();
        assert!(lines <= 150, "{} has {lines} lines: look for the second thing in it", file.path());
    }
}

#[test]
fn parts_have_no_entry_point_and_kernels_have_one() {
    for file in all() {
        let own = file.text().matches("@compute").count();
        assert_eq!(own, usize::from(file.path().starts_with("kernels/")), "{}", file.path());
    }
}

#[test]
fn files_use_what_they_name() {
    let mut idle = Vec::new();
    for file in all() {
        let code = code(file);
        let bodies =
            file.holes().iter().flat_map(|hole| &hole.functions).filter_map(|function| function.body);
        let types = file.holes().iter().flat_map(|hole| &hole.functions).map(|function| function.signature);
        let text = bodies.chain(types).fold(code, |text, more| text + more + " ");
        let used = words(&text);
        for name in file.uses() {
            let part = ShaderFile::part(name).unwrap_or_else(|| panic!("{} uses {name}", file.path()));
            let needs = with_needs(part);
            let fillers: Vec<_> = needs.iter().flat_map(|part| part.holes()).flat_map(fillers).collect();
            let names: BTreeSet<String> = needs.into_iter().chain(fillers).flat_map(declared).collect();
            // Or it fills a hole of another.
            let holes: Vec<&str> =
                with_needs(file).iter().flat_map(|file| file.holes()).map(|hole| hole.name).collect();
            let fills = part.fills().iter().any(|name| holes.contains(name));
            let needed = fills || used.iter().any(|&word| names.contains(word));
            if !needed {
                idle.push(format!("{} uses {name} and needs nothing of it", file.path()));
            }
        }
    }
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

#[test]
fn holes_and_what_fills_them_agree() {
    let mut filled = BTreeSet::new();
    for file in all() {
        for hole in file.holes() {
            let of = format!("hole {} of {}", hole.name, file.path());
            assert!(!hole.by.is_empty(), "nothing fills {of}");
            for by in hole.by.iter().filter(|by| !WRITERS.contains(by)) {
                assert!(named(by).is_some(), "{of} is filled by {by}, which is no file");
            }
            for filler in fillers(hole) {
                assert!(
                    filler.fills().contains(&hole.name),
                    "{} does not say that it fills {of}",
                    filler.path()
                );
                filled.insert((filler.name(), hole.name));
                for function in &hole.functions {
                    let head = format!("fn {}(", function.name());
                    let text = with_needs(filler).into_iter().map(code).collect::<String>();
                    let line = text.lines().find(|line| line.starts_with(&head));
                    let line =
                        line.unwrap_or_else(|| panic!("{} lacks {} of {of}", filler.path(), function.name()));
                    let found = line.trim_end().trim_end_matches('}').trim_end().trim_end_matches('{');
                    assert_eq!(types(found), types(function.signature), "{} against {of}", filler.path());
                }
            }
        }
        for &name in file.fills() {
            let known = all().iter().flat_map(|file| file.holes()).any(|hole| hole.name == name);
            assert!(known, "{} fills {name}, which no file leaves open", file.path());
        }
    }
    for file in all() {
        for &name in file.fills() {
            assert!(filled.contains(&(file.name(), name)), "no hole {name} names {}", file.path());
        }
    }
}

#[test]
fn kernels_repeat_which_holes_stay_open() {
    for &kernel in ShaderFile::kernels() {
        let needs = with_needs(kernel);
        let closed: BTreeSet<&str> = needs.iter().flat_map(|file| file.fills()).copied().collect();
        let open = |part: &ShaderFile| -> BTreeSet<&str> {
            part.holes().iter().map(|hole| hole.name).filter(|name| !closed.contains(name)).collect()
        };
        let expected: BTreeMap<&str, BTreeSet<&str>> = needs[1..]
            .iter()
            .map(|part| (part.name(), open(part)))
            .filter(|(_, open)| !open.is_empty())
            .collect();
        let found: BTreeMap<&str, BTreeSet<&str>> =
            kernel.open().iter().map(|(part, open)| (*part, open.iter().copied().collect())).collect();
        assert_eq!(found, expected, "{}: a line `holes` says otherwise", kernel.path());
    }
}

/// The files in a kernel once what is still open is filled, with the first files that go together, or with functions
/// that return zero. Checks the joined text.
fn filled(kernel: Kernel) -> Result<Vec<&'static ShaderFile>, String> {
    let Some(&(_, hole)) = kernel.open().last() else {
        validate(&kernel.source().map_err(|e| e.to_string())?)?;
        return Ok(kernel.files().to_vec());
    };
    let files = fillers(hole);
    if files.is_empty() {
        return filled(kernel.fill_text(hole_name(hole), zeros(hole)));
    }
    let mut wrong = Ok(());
    for file in files {
        match filled(kernel.clone().fill(file)) {
            Ok(found) => return Ok(found),
            Err(message) => wrong = wrong.and(Err(message)),
        }
    }
    Err(wrong.expect_err("a hole has files or none"))
}

fn validate(source: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    Validator::new(
        ValidationFlags::all(),
        Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX,
    )
    .validate(&module)
    .map_err(|e| e.emit_to_string(source))?;
    Ok(())
}

fn hole_name(hole: &'static Hole) -> &'static [&'static str] {
    std::slice::from_ref(&hole.name)
}

fn zeros(hole: &Hole) -> String {
    let function = |function: &Function| {
        let (_, result) = types(function.signature);
        let body = if result.is_empty() { String::new() } else { format!("return {result}();") };
        format!("fn {} {{\n    {body}\n}}\n", function.signature)
    };
    hole.functions.iter().map(function).collect()
}

/// The holes of files and of what they use that none of those fills.
fn unclosed(files: &[&'static ShaderFile]) -> Vec<&'static Hole> {
    let needs: Vec<_> = files.iter().flat_map(|file| with_needs(file)).collect();
    let closed: BTreeSet<&str> = needs.iter().flat_map(|file| file.fills()).copied().collect();
    needs.iter().flat_map(|file| file.holes()).filter(|hole| !closed.contains(hole.name)).collect()
}

/// A file is valid WGSL as it stands, with the values that its constants have in it, once what its head names is
/// joined: each kernel with its holes filled, each part in each kernel that it may fill a hole of, or a hole of such a
/// part in one of them.
#[test]
fn every_file_is_valid_as_it_stands() {
    let mut joined = BTreeSet::new();
    for &main in ShaderFile::kernels() {
        let all = |kernel: Kernel| filled(kernel).unwrap_or_else(|e| panic!("{}: {e}", main.path()));
        let mut kernels = vec![all(Kernel::new(main))];
        let direct = unclosed(&[main]);
        for filler in direct.iter().flat_map(|hole| fillers(hole)) {
            if filler.path().starts_with("kernels/") {
                continue;
            }
            kernels.push(all(Kernel::new(main).fill(filler)));
            // A filler has holes of its own, as have their fillers. Not all of those go with this kernel.
            let mut branches = vec![(vec![main, filler], direct.clone())];
            while let Some((files, known)) = branches.pop() {
                let open = unclosed(&files);
                for inner in open.iter().filter(|hole| !known.contains(hole)).flat_map(|hole| fillers(hole)) {
                    let files: Vec<_> = files.iter().copied().chain([inner]).collect();
                    let kernel = Kernel::new(main).fill_all(files[1..].iter().copied());
                    kernels.extend(filled(kernel).ok());
                    branches.push((files, open.clone()));
                }
            }
        }
        joined.extend(kernels.iter().flatten().map(|file| file.path()));
    }
    // Functions of elements, which the plan calls where it fills `epilogue`.
    for &part in ShaderFile::parts().iter().filter(|part| !joined.contains(part.path())) {
        let element = named("element_4").expect("it is a part");
        let mut source = with_needs(part).into_iter().rev().map(|file| file.text()).collect::<String>();
        source += element.text();
        validate(&source).unwrap_or_else(|e| panic!("{}: {e}", part.path()));
    }
}

/// The families below a folder, each with its files.
fn families(tree: &str) -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut families: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in all() {
        let mut path = file.path().split('/');
        if path.next() == Some(tree) {
            families.entry(path.next().expect("a family")).or_default().push(file.name());
        }
    }
    families
}

fn code_list(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn table() -> String {
    let mut text = format!(
        "# Shaders\n\n\
         Written by `{}` from the heads of the files.\n\n\
         `kernels/` has the files with an entry point, `parts/` those without, both by family. A file is used by its name,\n\
         which no other file has.\n\n\
         The first lines of a file say what it is joined with:\n\n\
         ```wgsl\n\
         //! uses group, channels                             parts whose functions, types and constants it needs\n\
         //! fills finalize                                   holes of other files that it has the functions for\n\
         //! hole weight_of(c: u32) -> f32 {{ return 1.0; }}    a function that it leaves open, and what it is by default\n\
         //!     by batch_norm_weight                         what fills it: files, or Rust (the plan, the operator)\n\
         //! holes Pack of pack                               holes of the parts it uses that stay open\n\
         ```\n\n\
         `Kernel::new` joins a kernel with what it uses, `Kernel::fill` fills its holes. A hole that stays open, a file that\n\
         fills none, and a name that is no file's are errors. `cargo run --release --example plan -- --kernel NAME` prints a\n\
         joined kernel.\n\n\
         ## Kernels\n\n| family | kernels |\n|---|---|\n",
        snapshot::command("linkage::")
    );
    for (family, files) in families("kernels") {
        let _ = writeln!(text, "| {family} | {} |", code_list(files));
    }
    text += "\n## Parts\n\n| family | parts |\n|---|---|\n";
    for (family, files) in families("parts") {
        let _ = writeln!(text, "| {family} | {} |", code_list(files));
    }
    text += "\n## Holes\n\n| hole | of | functions | by default | filled by |\n|---|---|---|---|---|\n";
    let mut holes: BTreeMap<(&str, &str), &Hole> = BTreeMap::new();
    for file in all() {
        holes.extend(file.holes().iter().map(|hole| ((hole.name, file.name()), hole)));
    }
    for ((name, of), hole) in holes {
        let functions =
            code_list(hole.functions.iter().map(|function| function.signature)).replace('|', "\\|");
        let bodies =
            hole.functions.iter().filter_map(|function| function.body.filter(|body| !body.is_empty()));
        let default = match hole.has_default() {
            false => String::new(),
            true if bodies.clone().count() == 0 => "nothing".to_owned(),
            true => code_list(bodies),
        };
        let written = hole.by.iter().filter(|by| WRITERS.contains(by)).map(|by| (*by).to_owned());
        let files = fillers(hole).into_iter().map(|file| format!("`{}`", file.name()));
        let by = written.chain(files).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| `{name}` | `{of}` | {functions} | {default} | {by} |");
    }
    text
}

#[test]
fn the_table_of_holes_is_up_to_date() {
    snapshot::check(TABLE, "linkage::", &table());
}
