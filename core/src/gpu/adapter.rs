//! Finding the adapter, what it can do, and opening a device on it.

use super::device::{AdapterKind, AdapterReport};
use super::error::GpuError;

/// The best adapter that the environment variables `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` allow.
pub async fn pick_adapter(instance: &wgpu::Instance) -> Result<wgpu::Adapter, GpuError> {
    #[cfg(not(target_arch = "wasm32"))]
    if let Ok(adapter) = wgpu::util::initialize_adapter_from_env(instance, None).await {
        return Ok(adapter);
    }
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..wgpu::RequestAdapterOptions::default()
    };
    let found = instance.request_adapter(&options).await;
    found.map_err(|error| GpuError::NoAdapter { detail: error.to_string() })
}

pub fn report_of(adapter: &wgpu::Adapter) -> AdapterReport {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let software = info.device_type == wgpu::DeviceType::Cpu || info.name.contains("SwiftShader");
    let interesting = [
        (wgpu::Features::SHADER_F16, "shader-f16"),
        (wgpu::Features::SUBGROUP, "subgroups"),
        (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
    ];
    let has = |(feature, name): &(wgpu::Features, &str)| {
        adapter.features().contains(*feature).then(|| (*name).to_owned())
    };
    AdapterReport {
        name: info.name,
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        backend: info.backend.to_string(),
        kind: match (software, has_octets(adapter)) {
            (false, _) => AdapterKind::Hardware,
            (true, false) => AdapterKind::Software,
            (true, true) => AdapterKind::SoftwareOctets,
        },
        max_buffer_bytes: limits.max_buffer_size,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        features: interesting.iter().filter_map(has).collect(),
    }
}

/// Whether subgroups have exactly eight invocations, as on a CPU with eight lanes. Browsers ask for a directive that
/// this compiler does not know, so there the answer is no.
fn has_octets(adapter: &wgpu::Adapter) -> bool {
    let info = adapter.get_info();
    cfg!(not(target_arch = "wasm32"))
        && adapter.features().contains(wgpu::Features::SUBGROUP)
        && (info.subgroup_min_size, info.subgroup_max_size) == (8, 8)
}

/// Asks for the adapter's real memory limits, and falls back to the guaranteed ones.
pub async fn request_device(adapter: &wgpu::Adapter) -> Result<(wgpu::Device, wgpu::Queue), GpuError> {
    let offered = adapter.limits();
    // Everything but memory stays at WebGPU's defaults: what runs here then also runs in a browser.
    let generous = wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    };
    let descriptor = |required_limits| wgpu::DeviceDescriptor {
        label: Some("dsee"),
        required_limits,
        required_features: if has_octets(adapter) {
            wgpu::Features::SUBGROUP
        } else {
            wgpu::Features::empty()
        },
        ..wgpu::DeviceDescriptor::default()
    };
    if let Ok(opened) = adapter.request_device(&descriptor(generous)).await {
        return Ok(opened);
    }
    let opened = adapter.request_device(&descriptor(wgpu::Limits::default())).await;
    opened.map_err(|error| GpuError::NoDevice { detail: error.to_string() })
}
