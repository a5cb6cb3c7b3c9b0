
from ministack.app import main  # noqa: E402  (slow to import: the watch above must already stand)

main()
