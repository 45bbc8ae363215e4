"""Optional companions of the gateway: simulators, benchmarks, dashboards; the gateway never imports them."""
