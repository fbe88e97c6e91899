"""Write a language model of 0.4 MB whose next token has the same odds whatever came before.

Its attention and its feed-forward part are all zero and all of its tokens look alike, so that the last state is always
√width in the first place; the first column of the output holds the odds. What an answer says is chance, or one word
over and over, and its form is that of the grammar alone: all of the server is real, only the model has no mind.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_WIDTH, _HEADS, _LONGEST = 64, 2, 65_536
_SPECIAL = ("<unk>", "<s>", "</s>")
_SPACE = "\u2581"
_PLAIN = [_SPACE if code == ord(" ") else chr(code) for code in range(32, 127)]
_TOKENS = [*_SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *_PLAIN]
_UNKNOWN, _CONTROL, _BYTE, _NORMAL = 2, 3, 6, 1
_TYPES = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256, *[_NORMAL] * len(_PLAIN)]
_RARE = -6.0
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "

ANSWERS = {
    **dict.fromkeys("12345", 1.0),
    **dict.fromkeys("[:", 1.0),
    '"': 3.0, ",": 3.2, "]": 0.6, "}": 2.0, "{": 0.4, "</s>": 5.0, ".": 0.5, _SPACE: -9.0, "-": -9.0,
}  # fmt: skip
"""Odds of answers that name items by the numbers 1 to 5, some of them longer, as chance has it."""
EMPTY = {**ANSWERS, '"': 9.0, "]": 8.0}
"""Odds of an answer without any item, when the likeliest token is taken."""
ENDLESS = {**ANSWERS, "]": 9.0, '"': -5.0}
"""Odds of a text that never ends."""


def write_model(path: Path, odds: Mapping[str, float]) -> None:
    """Write the model to a file. Each character is a token; those without odds are rare."""
    gguf: Any = importlib.import_module("gguf")
    numpy: Any = importlib.import_module("numpy")
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(path.stem)
    writer.add_context_length(_LONGEST)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(_TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(_TOKENS)
    writer.add_token_scores([0.0] * len(_TOKENS))
    writer.add_token_types(_TYPES)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(value=True)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(_TEMPLATE)

    def zeros(*shape: int) -> Any:
        return numpy.zeros(shape, numpy.float32)

    alike, wanted, ones = zeros(len(_TOKENS), _WIDTH), zeros(len(_TOKENS), _WIDTH), zeros(_WIDTH) + 1
    alike[:, 0] = 1
    wanted[:, 0] = [odds.get(token, _RARE) / math.sqrt(_WIDTH) for token in _TOKENS]
    writer.add_tensor("token_embd.weight", alike)
    writer.add_tensor("output.weight", wanted)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", ones)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", zeros(_WIDTH, _WIDTH))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
