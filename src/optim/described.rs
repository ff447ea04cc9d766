//! What an optimizer appends to a graph: gradients, their means over steps, the update, averages. It knows a rule as a
//! trait object, so a program has this code once, whatever optimizers it uses. The settings are in `optimizer`.

use super::gradients::{check, placed, state};
use super::optimizer::Condition;
use super::{Ema, LossScale};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Value};
use crate::ops::optimizer::{AccumulateRule, Clip, Group, Rule, Update};
use std::sync::Arc;

/// An optimizer's settings.
pub(super) struct Described<'o> {
    /// The rule and the rate of parameters that no group has.
    pub own: (Arc<dyn Rule>, Value),
    pub groups: Vec<(&'o Condition, Arc<dyn Rule>, Value)>,
    pub clip: Clip,
    pub steps: u32,
    pub average: Option<&'o Ema>,
    pub scale: Option<LossScale>,
    pub only: &'o [Condition],
    pub frozen: &'o [Condition],
}

impl Described<'_> {
    pub(super) fn minimize(&self, graph: &mut Graph, loss: Value) -> Result<()> {
        self.check()?;
        let scale = self.scale.map(|scale| scale.declare(graph, loss)).transpose()?;
        let pairs = pairs(graph, loss, scale.map(|[scale, _]| scale), |graph, parameters| {
            self.trained(graph, parameters)
        })?;
        self.update(graph, &pairs, scale)
    }

    pub(super) fn apply(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
        self.check()?;
        if self.scale.is_some() {
            let message =
                "scales the loss that gradients are computed from; let minimize compute them".into();
            return Err(Error::Setting { setting: "loss_scale", message });
        }
        graph.check_owned(pairs.iter().map(|&(parameter, _)| parameter))?;
        let parameters: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        let trained = self.trained(graph, &parameters)?;
        let pairs: Vec<_> = pairs.iter().copied().filter(|(p, _)| trained.contains(p)).collect();
        self.update(graph, &pairs, None)
    }

    fn check(&self) -> Result<()> {
        self.own.0.check()?;
        self.clip.check()?;
        AccumulateRule { steps: self.steps }.check()?;
        self.average.map_or(Ok(()), Ema::check)?;
        self.scale.map_or(Ok(()), LossScale::check)?;
        for (_, rule, _) in &self.groups {
            rule.check()?;
        }
        Ok(())
    }

    fn trained(&self, graph: &Graph, parameters: &[Value]) -> Result<Vec<Value>> {
        let groups = self.groups.iter().map(|&(condition, ..)| condition);
        trained(graph, parameters, self.only, self.frozen, groups)
    }

    fn update(&self, graph: &mut Graph, pairs: &[(Value, Value)], scale: Option<[Value; 2]>) -> Result<()> {
        check(graph, pairs)?;
        let group_of = |&(parameter, _): &(Value, Value)| {
            let held = self.groups.iter().position(|(condition, ..)| condition.holds(graph, parameter));
            held.map_or(0, |group| group + 1)
        };
        let mut pairs: Vec<(Value, Value)> = pairs.to_vec();
        pairs.sort_by_key(group_of);
        let members: Vec<usize> = pairs.iter().map(group_of).collect();
        let (mut groups, mut rates) = (Vec::new(), Vec::new());
        let own = std::iter::once((&self.own.0, self.own.1));
        let others = self.groups.iter().map(|(_, rule, rate)| (rule, *rate));
        for (number, (rule, rate)) in own.chain(others).enumerate() {
            // A group may be empty because earlier groups have its parameters.
            let parameters = members.iter().filter(|&&group| group == number).count();
            if parameters > 0 {
                groups.push(Group { rule: Arc::clone(rule), parameters });
                rates.push(rate);
            }
        }
        let parameters: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        let gradients = self.accumulated(graph, &pairs)?;
        let scaling = scale.and(self.scale).map(LossScale::scaling);
        let update = Update { groups, clip: self.clip, every: self.steps, scaling };
        let mut inputs = parameters.clone();
        inputs.extend(gradients);
        let first: Vec<f32> = update
            .groups
            .iter()
            .flat_map(|group| std::iter::repeat_n(group.rule.first_state(), group.parameters))
            .collect();
        for suffix in update.slots().into_iter().flatten() {
            inputs.extend(state(graph, &parameters, suffix, |i, _| Init::Constant(first[i]))?);
        }
        inputs.extend(rates);
        inputs.extend(scale.into_iter().flatten());
        inputs.push(graph.step_counter());
        let outputs = graph.unscoped(|graph| graph.apply(update, &inputs))?;
        match self.average {
            Some(average) => average.apply(graph, &parameters, &outputs[..parameters.len()], self.steps),
            None => Ok(()),
        }
    }

    /// The gradients that the update reads: of this step, or the mean of several.
    fn accumulated(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<Vec<Value>> {
        let gradients = placed(graph, pairs)?;
        if self.steps == 1 {
            return Ok(gradients);
        }
        let parameters: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        let mut inputs = state(graph, &parameters, "gradient", |_, _| Init::Constant(0.0))?;
        inputs.extend(gradients);
        inputs.push(graph.step_counter());
        let update = Update::new(AccumulateRule { steps: self.steps }, pairs.len());
        graph.unscoped(|graph| graph.apply(update, &inputs))
    }
}

/// The parameters that `loss` depends on and that `trained` chooses, and their gradients, which it appends: those of the
/// loss times `scale`, if there is one.
pub(super) fn pairs(
    graph: &mut Graph,
    loss: Value,
    scale: Option<Value>,
    trained: impl FnOnce(&Graph, &[Value]) -> Result<Vec<Value>>,
) -> Result<Vec<(Value, Value)>> {
    let parameters = graph.parameters_of(loss)?;
    if parameters.is_empty() {
        let name = &graph.info(loss).name;
        return Err(Error::Graph(format!(
            "the loss \"{name}\" depends on no parameter, so there is nothing to train"
        )));
    }
    let trained = trained(graph, &parameters)?;
    let gradients = match scale {
        Some(scale) => graph.gradients_from(&[(loss, scale)], &trained)?,
        None => graph.gradients(loss, &trained)?,
    };
    Ok(trained.into_iter().zip(gradients).filter_map(|(p, g)| Some((p, g?))).collect())
}

/// Those of `parameters` that an optimizer with these conditions trains and that are not frozen.
pub(super) fn trained<'c>(
    graph: &Graph,
    parameters: &[Value],
    only: &[Condition],
    frozen: &[Condition],
    groups: impl IntoIterator<Item = &'c Condition>,
) -> Result<Vec<Value>> {
    let any = |conditions: &[Condition], &parameter: &Value| {
        conditions.iter().any(|condition| condition.holds(graph, parameter))
    };
    let free: Vec<Value> = parameters.iter().copied().filter(|&p| !graph.is_frozen(p)).collect();
    if free.is_empty() && !parameters.is_empty() {
        return Err(Error::Graph(
            "every parameter is frozen in the graph, so there is nothing to train; leave a layer unfrozen"
                .into(),
        ));
    }
    let parameters = &free[..];
    check_conditions(graph, "only", only, parameters)?;
    let own = |parameter: &Value| only.is_empty() || any(only, parameter);
    let chosen: Vec<Value> = parameters.iter().copied().filter(own).collect();
    check_conditions(graph, "freeze", frozen, &chosen)?;
    check_conditions(graph, "group", groups, &chosen)?;
    let trained: Vec<Value> = chosen.into_iter().filter(|p| !any(frozen, p)).collect();
    if trained.is_empty() && !parameters.is_empty() {
        return Err(Error::Setting {
            setting: "freeze",
            message: "holds for every parameter, so there is nothing to train".into(),
        });
    }
    Ok(trained)
}

/// Fails if a condition holds for none of `parameters`: a name was misspelt.
fn check_conditions<'c>(
    graph: &Graph,
    setting: &'static str,
    conditions: impl IntoIterator<Item = &'c Condition>,
    parameters: &[Value],
) -> Result<()> {
    for condition in conditions {
        if !parameters.iter().any(|&parameter| condition.holds(graph, parameter)) {
            let name = |&parameter| graph.info(parameter).name.as_str();
            let names: Vec<&str> = parameters.iter().take(12).map(name).collect();
            let message = format!("holds for none of the parameters, which are {}", names.join(", "));
            return Err(Error::Setting { setting, message });
        }
    }
    Ok(())
}
