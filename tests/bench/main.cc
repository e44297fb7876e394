// sightline-bench: measures this machine and this build. See --help.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/version.h"
#include "tests/bench/bench.h"
#ifdef SIGHTLINE_MODEL
#include "tests/bench/quality_options.h"
#endif

namespace {

constexpr char kUsage[] =
    "usage: sightline-bench BENCH [--quick] [--rows N]\n"
    "\n"
    "Prints one JSON object per line: bench, case, value, unit, and where a peer is measured in the same run peer,\n"
    "peer_value and ratio (how many times better ours is; above 1 is better), limit and limit_share where the "
    "machine's\n"
    "own limit was measured, and recall. The first line describes the machine.\n"
    "\n"
    "  ann       searching and building the graph, beside hnswlib and FAISS\n"
    "  decode    images decoded in a helper process, beside decoding in the server\n"
    "  embed     prepared images to descriptors on the CPU, beside PyTorch eager\n"
    "  exact     comparing with every one of 100,000 descriptors, beside FAISS IndexFlatIP\n"
    "  ingest    a collection under writes, durable writes with patch tokens, opening again, filters\n"
    "  load      a real server under overload, short deadlines, slow and resetting callers, and what batching brings\n"
    "  quality   does it find things? R@1 and mean average precision of trained models, without and with re-ranking,\n"
    "            beside untrained ones, colour histograms, small pixels, ORB and SIFT\n"
    "  rerank    patch tokens of a query against those of a shortlist, beside PyTorch\n"
    "  rerank-quality\n"
    "            mean average precision without and with re-ranking by transport, on groceries and generated scenes\n"
    "  serve     descriptor searches over gRPC, beside a bare gRPC echo server\n"
    "  train     training dtop_tiny on the CPU, photographs loaded from their files, beside PyTorch eager\n"
    "  zoo       one photograph with every model of model/zoo\n"
    "\n"
    "  --only P  of `load` only one part: overload, batching, storm, slow or resets\n"
    "  --quick   under a minute; proves only the small case\n"
    "  --rows N  how many descriptors `ann` and `ingest` search: 1,000,000, or with --quick 20,000 and 10,000, unless "
    "given\n";

}  // namespace

int main(int argc, char** argv) {
  std::string bench;
  bool quick = false;
  int64_t rows = 0;
  std::string only;
#ifdef SIGHTLINE_MODEL
  // It alone has flags of its own.
  if (argc > 1 && std::strcmp(argv[1], "quality") == 0 && (argc != 3 || std::strcmp(argv[2], "--help") != 0)) {
    return sightline::bench::RunQuality(std::vector<std::string>(argv + 2, argv + argc));
  }
#endif
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      quick = true;
    } else if (std::strcmp(argv[i], "--rows") == 0 && i + 1 < argc && std::atoll(argv[i + 1]) > 0) {
      rows = std::atoll(argv[++i]);
    } else if (bench == "load" && std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      only = argv[++i];
    } else if (std::strcmp(argv[i], "--version") == 0) {
      std::fputs(sightline::base::VersionLine("sightline-bench").c_str(), stdout);
      return 0;
    } else if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(kUsage, stdout);
#ifdef SIGHTLINE_MODEL
      std::fputs(sightline::bench::kQualityUsage, stdout);
#endif
      return 0;
    } else if (bench.empty() && argv[i][0] != '-') {
      bench = argv[i];
    } else {
      std::fprintf(
          stderr,
          "sightline-bench: '%s' is not understood. Use BENCH, --quick and --rows N; --help lists the benches.\n",
          argv[i]);
      return 2;
    }
  }
  if (bench == "ann") return sightline::bench::RunAnn(quick, rows);
#ifdef SIGHTLINE_MODEL
  if (bench == "embed") return sightline::bench::RunEmbed(quick);
  if (bench == "load") return sightline::bench::RunServerLoad(quick, only);
  if (bench == "rerank-quality") return sightline::bench::RunRerankQuality(quick);
  if (bench == "train") return sightline::bench::RunTrain(quick);
  if (bench == "zoo") return sightline::bench::RunZoo(quick);
#endif
  if (bench == "decode") return sightline::bench::RunDecode(quick);
  if (bench == "exact") return sightline::bench::RunExact(quick);
  if (bench == "ingest") return sightline::bench::RunIngest(quick, rows);
  if (bench == "rerank") return sightline::bench::RunRerank(quick);
  if (bench == "serve") return sightline::bench::RunServe(quick);
  std::fprintf(stderr, "sightline-bench: there is no bench '%s'. --help lists the benches.\n", bench.c_str());
  return 2;
}
