//! Chooses an adapter by what a program or a user writes: its number in the list, its id, or a part of its name.

use super::ADAPTER_VARIABLE;
use super::adapter::AdapterSummary;
use crate::error::{Error, Result};

/// What is wanted, by the program or else by the environment.
pub(super) fn wanted(by_program: Option<&str>) -> Option<String> {
    let from_environment = || std::env::var(ADAPTER_VARIABLE).ok();
    by_program.map(str::to_owned).or_else(from_environment).filter(|text| !text.is_empty())
}

/// An adapter's identity: its place on the PCI bus where the driver tells it, otherwise vendor and device.
pub(super) fn id(info: &wgpu::AdapterInfo) -> String {
    match info.device_pci_bus_id.as_str() {
        "" => format!("{:04x}:{:04x}", info.vendor, info.device),
        bus => bus.to_ascii_lowercase(),
    }
}

/// The place of the wanted adapter in the list; without a wish, the first.
pub(super) fn choose(infos: &[wgpu::AdapterInfo], wanted: Option<&str>) -> Result<usize> {
    if infos.is_empty() {
        return Err(Error::Adapter(
            "none was found; install a graphics driver, or a software one \
             (Debian, Ubuntu: apt-get install mesa-vulkan-drivers)"
                .into(),
        ));
    }
    let Some(wanted) = wanted else { return Ok(0) };
    let found = match wanted.strip_prefix('#').map(str::parse) {
        Some(Ok(index)) => Some(index).filter(|&index| index < infos.len()),
        _ => {
            let lower = wanted.to_ascii_lowercase();
            let by_id = infos.iter().position(|info| id(info) == lower);
            by_id.or_else(|| infos.iter().position(|info| info.name.to_ascii_lowercase().contains(&lower)))
        }
    };
    found.ok_or_else(|| {
        let list = infos.iter().enumerate().map(|(i, info)| AdapterSummary::of(info).numbered(i).label());
        Error::Adapter(format!(
            "none is number, id or name \"{wanted}\"; there are {}; write one of these in --adapter or {ADAPTER_VARIABLE}",
            list.collect::<Vec<_>>().join(", ")
        ))
    })
}

/// The places of adapters that are equal to the one at a place: several cards of one model, by one driver.
pub(super) fn equal(infos: &[wgpu::AdapterInfo], at: usize) -> Vec<usize> {
    let kind = |info: &wgpu::AdapterInfo| {
        let wgpu::AdapterInfo { name, vendor, device, device_type, driver, driver_info, backend, .. } =
            info.clone();
        (name, vendor, device, device_type, driver, driver_info, backend)
    };
    let wanted = kind(&infos[at]);
    (0..infos.len()).filter(|&other| kind(&infos[other]) == wanted).collect()
}

/// How many adapters are equal to the one that would be opened.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn count() -> usize {
    let infos: Vec<_> = super::adapter::all().await.iter().map(wgpu::Adapter::get_info).collect();
    choose(&infos, wanted(None).as_deref()).map_or(0, |at| equal(&infos, at).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str, device: u32, bus: &str) -> wgpu::AdapterInfo {
        let (name, device_pci_bus_id) = (name.into(), bus.into());
        let info = wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, wgpu::Backend::Vulkan);
        wgpu::AdapterInfo { name, vendor: 0x10de, device, device_pci_bus_id, ..info }
    }

    #[test]
    fn each_of_two_equal_cards_can_be_chosen() {
        let cards = [
            card("Card 9000", 0x2f04, "0000:01:00.0"),
            card("Card 9000", 0x2f04, "0000:C1:00.0"),
            card("Other #1", 0x1111, ""),
        ];
        let chosen = |wanted: &str| choose(&cards, Some(wanted));
        for (wanted, place) in [
            ("#0", 0),
            ("#1", 1),
            ("#2", 2),
            ("0000:01:00.0", 0),
            ("0000:c1:00.0", 1),
            ("0000:C1:00.0", 1),
            ("10de:1111", 2),
            ("card 9000", 0),
            ("r #1", 2),
        ] {
            assert_eq!(chosen(wanted).expect(wanted), place, "{wanted}");
        }
        assert_eq!(choose(&cards, None).expect("the first"), 0);
        for wanted in ["#3", "#-1", "10de:2f04", "0000:01", "nothing"] {
            let message = chosen(wanted).expect_err("it is refused").to_string();
            for part in
                [wanted, "#1 0000:c1:00.0 \"Card 9000\"", "#2 10de:1111 \"Other #1\"", ADAPTER_VARIABLE]
            {
                assert!(message.contains(part), "no {part} in: {message}");
            }
        }
        assert_eq!(equal(&cards, 1), [0, 1]);
        assert_eq!(equal(&cards, 2), [2]);
        assert!(choose(&[], Some("#0")).expect_err("there is none").to_string().contains("none was found"));
    }
}
