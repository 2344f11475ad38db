"""What DUSt3R accepts of a checkpoint that does not hold exactly its own names.

This module imports the weights room alone, and with it torch.
"""

from ...weights.loading import CheckpointRules

RULES = CheckpointRules(
    ignored_prefixes=("prediction_head.", "enc_pos_embed", "dec_pos_embed"),  # of the pretraining
    aliases={
        f"downstream_head{side}.dpt.scratch.layer_rn.{index}.weight": (
            f"downstream_head{side}.dpt.scratch.layer{index + 1}_rn.weight"
        )
        for side in (1, 2)
        for index in range(4)
    },
    copies={"dec_blocks2.": "dec_blocks."},  # a pretrained file has one decoder, with which both start
)
