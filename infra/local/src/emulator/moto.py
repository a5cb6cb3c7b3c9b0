sys.argv = ["moto_server"]

from moto.server import main  # noqa: E402  (a slow import: the supervisor above has to run before it)

main(["-H", os.environ["BIND_HOST"], "-p", os.environ["GATEWAY_PORT"]])
