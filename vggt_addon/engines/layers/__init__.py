"""What VGGT and DUSt3R truly share: attention, rotary embedding, transformer blocks, the DPT read-out."""
