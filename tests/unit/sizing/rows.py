"""The acceptance rows of sizing that fit."""

from typing import Final

ROWS: Final = [
    # row, demand, context, profile, weights GiB a GPU, tokens, safe tokens, sequences of full context
    ("a", "meditron-70b none 4 A100-40GB", 4_096, "standard", "32.12", 24_966, 19_973, 4),
    ("b", "meditron-70b none 2 H100-80GB", 4_096, "standard", "64.24", 35_534, 28_427, 6),
    ("d", "meditron-70b bitsandbytes 2 A100-40GB", 4_096, "standard", "32.37", 9_680, 7_744, 1),
    ("e", "meditron-70b eetq 1 A100-80GB", 4_096, "standard", "64.73", 14_816, 11_853, 2),
    ("g", "meditron-70b gptq 1 A100-40GB", 4_096, "tight", "33.85", 8_050, 6_440, 1),
    ("h", "meditron-70b gptq 2 RTX-4090", 4_096, "standard", "16.93", 17_671, 14_137, 3),
    ("i", "meditron-70b gptq 1 L40S", 4_096, "standard", "33.85", 13_518, 10_814, 2),
    ("l", "meditron-7b none 1 L4", 2_048, "standard", "12.55", 12_315, 9_852, 4),
]
