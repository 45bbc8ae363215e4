"""JD VOP, 京东大客户开放平台: a supplier whose catalog is pulled and whose message pool tells what changed."""

from adapters.jd_vop.adapter import Adapter

__all__ = ["Adapter"]
