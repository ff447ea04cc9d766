//! Networks that are indexed, cut and changed.

use super::{forward, network, says, weights_of};
use std::sync::Arc;
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode, Result};

fn names(net: &nn::Sequential) -> Result<Vec<String>> {
    Ok(weights_of(net, 0)?.names().map(str::to_owned).collect())
}

#[test]
fn layers_are_found_by_number_name_and_path() {
    let net = network(3);
    let shown = |layer: Option<&dyn Layer>| layer.map(|layer| format!("{layer:?}")).unwrap_or_default();
    assert_eq!((net.len(), net.is_empty()), (8, false));
    assert!(shown(net.get(0)).starts_with("Conv2d") && shown(net.get("fc")).starts_with("Linear"));
    assert_eq!(shown(net.get(7)), shown(net.get("fc")));
    // Through a container without a name of its own, and a sum.
    assert!(shown(net.get("block.1")).starts_with("BatchNorm"));
    for lacking in ["", "block.2", "block.", "bloc", "block.1.0", "fc.weight", "Fc"] {
        assert!(net.get(lacking).is_none(), "{lacking}");
    }
    assert!(net.get(8).is_none());
    let order: Vec<_> = net.iter().map(|(name, _)| name.expect("each has one")).collect();
    assert_eq!(order, ["conv", "bn", "relu", "block", "dropout", "pool", "flatten", "fc"]);
    // A name may have dots.
    let net = nn::Sequential::new().add("a.b", nn::Sequential::new().add("c", nn::Relu));
    assert!(net.get("a.b.c").is_some() && net.get("a.b").is_some() && net.get("a").is_none());
}

#[test]
fn layers_are_replaced_inserted_and_removed() -> Result<()> {
    let mut net = network(3);
    let old = net.replace("fc", nn::Linear::new(4, 7))?;
    assert!(format!("{old:?}").contains("outputs: 3"), "{old:?}");
    net.replace("block.0", nn::Conv2d::new(4, 4, [1, 1]))?;
    let (g, _, logits) = forward(&net, Mode::Train)?;
    assert_eq!(g.shape(logits)?[..], [4, 7]);
    assert!(g.find("block.0.bias").is_some());
    // What was taken out goes into another network.
    let head = nn::Sequential::new().add("fc", old);
    let mut g = Graph::new();
    let x = g.input("x", [4, 4])?;
    head.forward(&mut g, x, Mode::Eval)?;
    assert!(g.find("fc.weight").is_some());

    net.insert("fc", "hidden", nn::Linear::new(4, 4))?;
    net.insert(net.len(), "scale", nn::BatchNorm::new(7))?;
    net.insert("block.1", "norm", nn::BatchNorm::new(4))?;
    net.remove("dropout")?;
    let found = names(&net)?;
    for name in ["hidden.weight", "scale.weight", "block.norm.weight", "block.1.weight", "fc.weight"] {
        assert!(found.iter().any(|found| found == name), "{name}: {found:?}");
    }
    let order: Vec<_> = net.iter().filter_map(|(name, _)| name).collect();
    assert_eq!(order, ["conv", "bn", "relu", "block", "pool", "flatten", "hidden", "fc", "scale"]);
    Ok(())
}

#[test]
fn a_network_is_cut_in_two_that_make_the_whole() -> Result<()> {
    let whole = names(&network(3))?;
    let mut body = network(3);
    let head = body.split_off("pool")?;
    assert_eq!((body.len(), head.len()), (5, 3));
    let both = nn::Sequential::new().inline(body).inline(head);
    assert_eq!(names(&both)?, whole);
    assert!(both.get("block.1").is_some(), "what is inline is passed through");
    let mut body = network(3);
    body.truncate(3)?;
    assert_eq!(body.len(), 3);
    body.truncate(3).unwrap_err();
    assert_eq!(body.split_off(0)?.len(), 3);
    assert!(body.is_empty());
    Ok(())
}

#[test]
fn what_can_not_be_edited_is_told() -> Result<()> {
    let mut net = network(3);
    let lacking = ["no layer \"head\"", "it has 8 layers: conv, bn, relu, block"];
    says(&net.replace("head", nn::Relu).unwrap_err(), &lacking);
    says(&net.insert("head", "a", nn::Relu).unwrap_err(), &lacking);
    says(&net.remove(8).unwrap_err(), &["no layer 8"]);
    says(&net.insert(9, "a", nn::Relu).unwrap_err(), &["no layer 9"]);
    says(&net.freeze("block.7").unwrap_err(), &["no layer \"block.7\""]);
    says(&net.unfreeze("head").unwrap_err(), &lacking);
    says(&net.freeze_before("head").unwrap_err(), &lacking);
    says(&net.split_off("block.1").unwrap_err(), &["\"block.1\" is nested in another layer", "conv, bn"]);

    let shared = Arc::new(nn::Sequential::new().add("fc", nn::Linear::new(4, 4)));
    let mut net = nn::Sequential::new().add("body", Arc::clone(&shared));
    assert!(net.get("body.fc").is_some());
    says(&net.replace("body.fc", nn::Relu).unwrap_err(), &["\"body.fc\"", "an Arc shares", "as a whole"]);
    net.freeze("body")?;
    drop(shared);
    net.replace("body.fc", nn::Relu)?;
    Ok(())
}

#[test]
fn published_networks_are_edited_by_pytorchs_names() -> Result<()> {
    let mut net = nn::models::resnet18(3, 1000);
    net.replace("fc", nn::Linear::new(512, 5))?;
    net.replace("layer4.1.conv2", nn::Conv2d::new(512, 512, [1, 1]))?;
    net.replace("layer2.0.downsample.1", nn::GroupNorm::new(4, 128))?;
    let mut vgg = nn::models::vgg11(3, 1000);
    vgg.replace("classifier.6", nn::Linear::new(4096, 5))?;
    let mut mobile = nn::models::mobilenet_v2(3, 1000);
    mobile.replace("classifier.1", nn::Linear::new(1280, 5))?;
    for (net, weight) in [(net, "fc.weight"), (vgg, "classifier.6.weight"), (mobile, "classifier.1.weight")] {
        let mut g = Graph::new();
        let x = g.input("x", [2, 3, 64, 64])?;
        net.forward(&mut g, x, Mode::Eval)?;
        assert_eq!(g.shape(g.find(weight).expect("it has a head"))?[0], 5);
    }
    Ok(())
}

#[test]
fn deep_networks_are_searched_without_recursion() -> Result<()> {
    let mut net = nn::Sequential::new().add("last", nn::Relu);
    for _ in 0..100_000 {
        net = nn::Sequential::new().inline(net);
    }
    assert!(net.get("last").is_some() && net.get("first").is_none());
    net.replace("last", nn::Tanh)?;
    net.freeze("last")?;
    Ok(())
}
