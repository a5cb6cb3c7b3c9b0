
from ministack.app import main  # noqa: E402  (a slow import: the supervisor above has to run before it)

main()
