"""Every problem code of the gateway, declared once: status, words in Chinese and English, what to do.

Answers of the HTTP APIs, rows of feed reports, dead letters, the generated documentation and the tests all read this
table; a code that is not here cannot be used. Rows of another release may hold others: `words_of` reads those too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of problem.

    status: of an HTTP answer, 422 for a fault of one record; retryable: the same again may work.
    """

    code: str
    status: int
    en: str
    zh: str
    retryable: bool = False


def _table(*problems: Problem) -> Mapping[str, Problem]:
    return {problem.code: problem for problem in problems}


PROBLEMS: Mapping[str, Problem] = _table(
    # who is calling
    Problem("auth_missing", 401, "No credential was sent.", "未提供凭证。"),
    Problem("auth_invalid", 401, "The credential is not valid.", "凭证无效。"),
    Problem("signature_invalid", 401, "The signature does not match the body.", "签名与请求体不符。"),
    Problem(
        "timestamp_out_of_window", 401, "The signature's time is more than 300 s off.", "签名时间偏差超过 300 秒。"
    ),
    Problem(
        "bearer_required",
        401,
        "A signature is for pushes; this needs an API key.",
        "签名仅用于推送，此操作须使用 API 密钥。",
    ),
    Problem("tenant_mismatch", 403, "The request names another supplier.", "请求中的供应商与凭证不符。"),
    Problem("scope_denied", 403, "The key's scopes do not cover this.", "密钥权限不包含此操作。"),
    # the request
    Problem("bad_request", 400, "The request cannot be understood.", "请求无法识别。"),
    Problem("bad_header", 400, "A header has an unusable value.", "请求头取值无效。"),
    Problem("bad_parameter", 400, "A query parameter has an unusable value.", "查询参数取值无效。"),
    Problem("http_version_unsupported", 505, "Only HTTP/1.1 and HTTP/1.0 are spoken.", "仅支持 HTTP/1.1 和 HTTP/1.0。"),
    Problem("not_found", 404, "There is nothing here.", "资源不存在。"),
    Problem("method_not_allowed", 405, "This method is not offered here.", "不支持该请求方法。"),
    Problem("request_timeout", 408, "The request came too slowly.", "请求传输过慢。", retryable=True),
    Problem("conflict", 409, "The state does not allow this any more.", "当前状态不允许此操作。"),
    Problem(
        "order_state",
        409,
        "The order does not stand where this can be said of it.",
        "订单当前状态不允许此消息。",
    ),
    Problem(
        "contract_state",
        409,
        "The contract does not stand where this can be said of it.",
        "合同当前状态不允许此消息。",
    ),
    Problem("link_invalid", 403, "The gateway made no such link.", "链接无效。"),
    Problem("link_expired", 410, "The link has expired; the message has a new one.", "链接已过期，请重新领取消息。"),
    Problem(
        "document_changed",
        502,
        "The document is not the one that the contract names.",
        "合同文件与合同登记的摘要不符。",
    ),
    Problem(
        "document_unavailable",
        503,
        "The document cannot be had from the mall now.",
        "暂时无法从商城取得合同文件。",
        retryable=True,
    ),
    Problem(
        "idempotency_key_missing",
        400,
        "This needs an Idempotency-Key, or it could be taken twice.",
        "此操作须提供幂等键，否则可能重复生效。",
    ),
    Problem(
        "idempotency_in_progress",
        409,
        "The first request with this key still runs.",
        "相同幂等键的请求仍在处理。",
        retryable=True,
    ),
    Problem(
        "idempotency_key_reused",
        422,
        "The key was used for something else: another body, facet, mode or order.",
        "幂等键已用于不同的请求体、数据类别、模式或订单。",
    ),
    Problem("payload_too_large", 413, "The body is larger than allowed.", "请求体超过上限。"),
    Problem("decompressed_too_large", 413, "The decompressed body is larger than allowed.", "解压后的内容超过上限。"),
    Problem("uri_too_long", 414, "The address is too long.", "请求地址过长。"),
    Problem("unsupported_media_type", 415, "The content type is not taken here.", "不支持的内容类型。"),
    Problem("unsupported_encoding", 415, "Only gzip and identity are taken.", "仅支持 gzip 或不压缩。"),
    Problem("malformed_encoding", 400, "The compressed body is damaged or cut off.", "压缩内容损坏或不完整。"),
    Problem("truncated_body", 400, "The body ended early.", "请求体不完整。", retryable=True),
    Problem("headers_too_large", 431, "The headers are larger than allowed.", "请求头过大。"),
    Problem("rate_limited", 429, "The quota is used up; wait as told.", "超出配额，请按提示等待。", retryable=True),
    Problem(
        "rejections_quota",
        429,
        "Too much was rejected today: mend the records, or have the mall raise the quota.",
        "今日被拒绝的数据已超出配额：请修正数据，或联系商城提高配额。",
        retryable=True,
    ),
    Problem(
        "unverified_address_full",
        429,
        "Too many signed bodies of this address are under way.",
        "来自该地址的未验证签名内容过多。",
        retryable=True,
    ),
    Problem(
        "unverified_supplier_full",
        429,
        "Too many signed bodies of this supplier are under way.",
        "该供应商的未验证签名内容过多。",
        retryable=True,
    ),
    Problem("unverified_full", 503, "Too many signed bodies are under way.", "未验证的签名内容过多。", retryable=True),
    Problem(
        "connections_limit",
        429,
        "Too many connections of this client are open.",
        "该客户端的连接过多。",
        retryable=True,
    ),
    Problem(
        "requests_limit",
        429,
        "Too many requests of this client or credential are under way.",
        "该客户端或凭证正在处理的请求过多。",
        retryable=True,
    ),
    Problem("server_full", 503, "Too many connections are open.", "连接总数过多。", retryable=True),
    Problem(
        "supplier_paused",
        503,
        "The supplier is paused; nothing is taken from it or given to it.",
        "供应商已暂停，不收发任何数据。",
        retryable=True,
    ),
    Problem(
        "internal_error",
        500,
        "The gateway has a fault; it is in the operator's log.",
        "网关内部错误，已记入运营日志。",
        retryable=True,
    ),
    Problem(
        "kafka_unavailable",
        503,
        "Kafka is away. A push may have been accepted: repeat it under the same key, which settles it.",
        "消息服务暂不可用。推送可能已被接收：请以相同的幂等键重发以确认。",
        retryable=True,
    ),
    Problem(
        "topic_unavailable",
        503,
        "The topic that this needs is away; all else goes on. A push may have been accepted: repeat it under the same "
        "key, which settles it.",
        "所需的消息主题暂不可用，其他业务不受影响。推送可能已被接收：请以相同的幂等键重发以确认。",
        retryable=True,
    ),
    Problem(
        "store_unavailable",
        503,
        "Storage is away. A push may have been accepted: repeat it under the same key, which settles it.",
        "存储服务暂不可用。推送可能已被接收：请以相同的幂等键重发以确认。",
        retryable=True,
    ),
    # the file and its records
    Problem(
        "malformed_json",
        400,
        "This is not valid JSON, or a number in it is beyond what JSON readers can hold.",
        "JSON 格式错误，或其中的数值超出 JSON 可表示的范围。",
    ),
    Problem("json_too_deep", 400, "JSON is nested deeper than 64 levels.", "JSON 嵌套超过 64 层。"),
    Problem("line_too_long", 413, "A record is larger than 1 MiB.", "单条记录超过 1 MiB。"),
    Problem(
        "too_many_items",
        413,
        "There are more values than are taken in a record, or in one array or object of it.",
        "记录或其中某个数组、对象包含的值超过上限。",
    ),
    Problem("too_many_records", 413, "The feed has more than 16,777,214 records.", "一次提交的记录数超过上限。"),
    Problem("duplicate_key", 422, "An object names a member twice.", "对象中存在重复的键。"),
    Problem("validation_failed", 422, "A field has an unusable value.", "字段取值无效。"),
    Problem("number_out_of_range", 422, "A number is out of range.", "数值超出范围。"),
    Problem(
        "invalid_decimal",
        422,
        "A number is not a plain decimal, or has more decimal places than are taken.",
        "数字格式错误：应为普通十进制数字，且小数位数不超过上限。",
    ),
    Problem("invalid_text", 422, "A text holds characters that cannot be seen.", "文本含控制字符或不可见字符。"),
    Problem(
        "markup_too_complex",
        422,
        "The texts hold more HTML than can be cleaned, or leave too much of it open.",
        "文本中的 HTML 标签过多或未闭合，无法清洗。",
    ),
    Problem(
        "tax_rate_fraction",
        422,
        "The tax rate is a fraction; it is given in percent: 13 for 13 %.",
        "税率应以百分数填写：13 表示 13%，不是 0.13。",
    ),
    Problem(
        "price_mismatch",
        422,
        "Net price, tax and price with tax do not go together.",
        "不含税价、税额与含税价不一致。",
    ),
    Problem(
        "patch_other_key",
        422,
        "The patch names another article or area than the original.",
        "补丁所指商品或区域与原记录不同。",
    ),
    # what was taken with a doubt
    Problem("no_price", 200, "There is no price: the article cannot be sold.", "没有价格，商品不可售。"),
    Problem("odd_tax_rate", 200, "No value added tax in force has this rate.", "现行增值税无此税率。"),
    Problem("barcode_invalid", 200, "The barcode's length or check digit is wrong.", "条码长度或校验位错误。"),
    Problem(
        "no_directory_item",
        200,
        "It falls under no single row of a purchasing directory.",
        "未匹配到唯一的集中采购目录品目。",
    ),
    Problem(
        "markup_removed",
        200,
        "Part of a text was removed: markup that may not be shown, or what reads as markup.",
        "文本的一部分已删除：不允许的标记，或被识别为标记的内容。",
    ),
    Problem("timestamp_in_future", 422, "The time lies in the future.", "时间在未来。"),
    Problem("more_issues", 422, "The record has more faults than are told of it.", "该记录的问题过多，未全部列出。"),
    Problem("version_conflict", 409, "The same version came with other content.", "相同版本的内容不一致。"),
    Problem(
        "contract_error", 422, "The supplier's reply is not what its interface promises.", "供应商返回与接口约定不符。"
    ),
    Problem("stale", 200, "A newer state of this key is known.", "已有更新的数据。"),
    Problem("cancelled", 200, "The feed was cancelled first.", "该批次已取消。"),
    Problem("poison_pill", 422, "The record on the topic cannot be read.", "主题上的消息无法解析。"),
    Problem(
        "command_conflict", 422, "The command's id was another command's before.", "该指令编号此前已用于另一条指令。"
    ),
    Problem(
        "command_undecided",
        422,
        "Nobody knows whether the command took effect, and no automatic step is left.",
        "无法确认该指令是否已生效，且已无自动处理步骤。",
    ),
    Problem(
        "late_event", 409, "The supplier reports progress of an order that is over.", "供应商报告了已结束订单的进展。"
    ),
    Problem(
        "unknown_order",
        422,
        "A message of the supplier is about an order that is none of the mall's.",
        "供应商消息涉及的订单不属于本商城。",
    ),
    Problem(
        "invoice_mismatch",
        422,
        "The invoices are not what was asked for, or do not add up.",
        "发票与申请内容不符，或金额无法核对。",
    ),
    Problem(
        "mark_id_reused",
        422,
        "The application's number was another application's before.",
        "该发票申请单号此前已用于另一份申请。",
    ),
    Problem(
        "unknown_invoice",
        422,
        "A message of the supplier is about an application for invoices that is none of the mall's.",
        "供应商消息涉及的发票申请不属于本商城。",
    ),
    Problem("forged_chunk", 422, "The chunk was not written by the gateway.", "该数据块不是由网关写入的。"),
    Problem("unknown_schema", 422, "The record's schema is not known.", "消息的数据格式版本未知。"),
    Problem("unknown_supplier", 422, "The supplier is not known.", "供应商不存在。"),
    Problem("not_answered", 422, "The supplier was asked and did not answer for it.", "供应商未返回该商品的数据。"),
    Problem("unknown_message", 422, "A message of the supplier's pool is not understood.", "供应商消息无法识别。"),
    Problem(
        "held_withdrawal", 409, "The feed would withdraw more than its brake allows.", "下架数量超过熔断上限，已挂起。"
    ),
    Problem("hold_rejected", 409, "An operator decided against what was held.", "挂起的操作被运营人员否决。"),
    Problem("hold_expired", 409, "Nobody decided about what was held.", "挂起的操作超时未处理。"),
    Problem("processing_failed", 500, "The gateway has a fault that this record shows.", "该记录触发网关内部错误。"),
    # operators
    Problem("admin_auth_invalid", 401, "The operator's token is missing or not valid.", "运营令牌缺失或无效。"),
    Problem("reason_required", 400, "A reason is required.", "必须填写原因。"),
    Problem("url_forbidden", 422, "The address is not one the gateway may call.", "该地址不允许访问。"),
    Problem(
        "ssrf_blocked", 422, "The host leads to an address the gateway may not call.", "目标主机指向禁止访问的地址。"
    ),
    Problem("config_invalid", 422, "The configuration cannot be used.", "配置无效。"),
)


def words_of(code: str) -> Problem:
    """The words for a code that was stored; one of another release is carried as it is."""
    return PROBLEMS.get(code) or Problem(
        code, 422, "Another release of the gateway wrote this code.", "该代码由其他版本的网关写入。"
    )
