// sightline-decoder: decodes images for sightline-server, which starts it and ends it.
#include <sys/socket.h>

#include <cstdio>

#include "absl/strings/string_view.h"
#include "base/version.h"
#include "model/image/sandbox/spawner.h"
#include "model/image/sandbox/wire.h"

int main(int argc, char** argv) {
  if (argc == 2 && absl::string_view(argv[1]) == "--version") {
    std::fputs(sightline::base::VersionLine("sightline-decoder").c_str(), stdout);
    return 0;
  }
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
