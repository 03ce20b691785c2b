"""The daemon that signs the ends of runs in tests, always the same."""

from platform_nats.nkey import UserKey
from stratum_state.head import Signer

KEY = UserKey("SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y")
"""The example of docs/publishing.md."""
PUBLIC = KEY.public
SIGNER = Signer(PUBLIC, "here", KEY.sign)
