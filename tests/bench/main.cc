// sightline-bench: measures this machine and this build. See --help.
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/bench/bench.h"

namespace {

constexpr char kUsage[] =
    "usage: sightline-bench BENCH [--quick]\n"
    "\n"
    "Prints one JSON object per line: bench, case, value, unit, and where a peer is measured in the same run peer,\n"
    "peer_value and ratio (how many times better ours is; above 1 is better), limit and limit_share where the "
    "machine's\n"
    "own limit was measured, and recall. The first line describes the machine.\n"
    "\n"
    "  exact     comparing with every one of 100,000 descriptors, beside FAISS IndexFlatIP\n"
    "  serve     descriptor searches over gRPC, beside a bare gRPC echo server\n"
    "\n"
    "  --quick   under a minute; proves only the small case\n";

}  // namespace

int main(int argc, char** argv) {
  std::string bench;
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(kUsage, stdout);
      return 0;
    } else if (bench.empty() && argv[i][0] != '-') {
      bench = argv[i];
    } else {
      std::fprintf(stderr,
                   "sightline-bench: '%s' is not understood. Use BENCH and --quick; --help lists the benches.\n",
                   argv[i]);
      return 2;
    }
  }
  if (bench == "exact") return sightline::bench::RunExact(quick);
  if (bench == "serve") return sightline::bench::RunServe(quick);
  std::fprintf(stderr, "sightline-bench: there is no bench '%s'. --help lists the benches.\n", bench.c_str());
  return 2;
}
