// sightline-decoder: decodes images for sightline-server, which starts it and ends it.
#include <sys/socket.h>

#include <cstdio>

#include "model/image/sandbox/spawner.h"
#include "model/image/sandbox/wire.h"

int main() {
  int type = 0;
  socklen_t size = sizeof(type);
  if (::getsockopt(sightline::image::kControlFd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
    std::fprintf(
        stderr,
        "sightline-decoder decodes images for sightline-server, which starts it by itself. Start the server.\n");
    return 2;
  }
  return sightline::image::RunSpawner(sightline::image::kControlFd);
}
