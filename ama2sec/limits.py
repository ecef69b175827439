"""Every bound of the formats, in one place (spec envelope.2). Sizes are bytes, times milliseconds."""

from typing import Final

MAX_CLAIMS: Final = 4 * 1024
MAX_DOCUMENT_CLAIMS: Final = 64 * 1024
MAX_ENVELOPE: Final = MAX_DOCUMENT_CLAIMS + 256
MAX_BODY: Final = 256 * 1024
MAX_DEPTH: Final = 8
MAX_RECIPIENTS: Final = 32
MAX_MERGES: Final = 16
MAX_OUTPUTS: Final = 16
MAX_OUTPUT_TEXT: Final = 256
MAX_NAME: Final = 64
MAX_MEDIA_TYPE: Final = 127
TIME_END: Final = 1 << 48
SIZE_END: Final = 1 << 48
SEQ_EPOCH_AHEAD: Final = 24 * 60 * 60 * 1000
SEQ_COUNTER_JUMP: Final = 1 << 16
WINDOW: Final = 4096
MAX_DIRECTORY: Final = 1 << 20
MAX_ITEM: Final = MAX_ENVELOPE + MAX_BODY + 128
MAX_PROOF: Final = 256 * 1024
MAX_HOPS: Final = 32
MAX_ROOTS: Final = 16
MAX_GROUPS: Final = 16
MAX_REASON: Final = 256
MAX_STEPS: Final = 32
MAX_DEPTH_OF_GRANTS: Final = 8
MAX_OPEN_PROPOSALS: Final = 64
MAX_SCOPE: Final = 256
MAX_HALTS: Final = 1024
MAX_RESUMED: Final = 64
MAX_CHECKPOINT: Final = 8 * 1024
MAX_SIGNATURES: Final = 16
MAX_RECEIPT: Final = 16 * 1024
LIGHT_WINDOW: Final = 1024
MAX_LIGHT_STATE: Final = 64 << 20
MAX_EXHIBIT: Final = 1 << 20
