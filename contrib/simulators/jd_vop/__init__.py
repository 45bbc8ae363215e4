"""A faithful simulator of JD VOP (京东大客户开放平台): catalog, prices, stock, message pool, tokens, and its faults."""

from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.server import open_simulator
from contrib.simulators.jd_vop.simulator import Simulator

__all__ = ["Config", "Simulator", "open_simulator"]
