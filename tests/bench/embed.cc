// `sightline-bench embed`: prepared images to descriptors and tokens on the CPU, beside PyTorch eager on the same
// weights with as many threads. Ours and the peer's passes alternate: what else the machine does meets both alike.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "model/cpu.h"
#include "model/model.h"
#include "tests/bench/bench.h"
#include "tests/bench/embed_int8.h"
#include "tests/bench/embed_model.h"
#include "tests/bench/embed_peer.h"
#include "tests/bench/fma_peak.h"
#include "tests/bench/report.h"

namespace sightline::bench {
namespace {

using nlohmann::json;

constexpr unsigned kSeed = 20221018;

struct EmbedCase {
  std::string model;
  int height = 0;
  int width = 0;
  int batch = 1;
  int rounds = 0;
  bool int8 = false;  // also in int8
  // As it is customary: one number for a square of a ViT, height x width for the others.
  std::string size = {};

  std::string name(const std::string& numeric = "fp32") const {
    return absl::StrCat(model, " ", size, " ", numeric, " b", batch);
  }
};

double Milliseconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - since).count();
}

json ZooModel(const std::string& name) {
  return json::parse(std::ifstream(absl::StrCat(SIGHTLINE_ZOO, "/", name, "/model.json")));
}

// model.json of a model of the bench: one scale, weights from a seed.
std::string ModelJson(const std::string& name) {
  json model = ZooModel(name == "vit_b_16" ? "dtop_vit_b" : name);
  if (name == "vit_b_16") model["head"] = {{"type", "cls"}};
  model["name"] = name;
  model["preprocess"]["scales"] = {1.0};
  return model.dump(1);
}

class EmbedBench {
 public:
  EmbedBench(std::string folder, int threads, EagerPeer* peer)
      : folder_(std::move(folder)), threads_(threads), peer_(peer), peak_(FmaPeak(threads, 0.5)) {
    Print(PlainRow("embed", absl::StrCat("FMA peak, ", threads, " threads"), peak_, "GFLOP/s"));
  }

  absl::Status Run(const EmbedCase& one) {
    const std::string model_folder = absl::StrCat(folder_, "/", one.model);
    if (!std::filesystem::exists(model_folder)) {
      std::filesystem::create_directories(model_folder);
      const absl::Status written = WriteSeededModel(ModelJson(one.model), model_folder);
      if (!written.ok()) return written;
    }
    const std::vector<model::PreparedImage> images = Images(one);
    std::vector<const model::PreparedImage*> batch;
    for (const model::PreparedImage& image : images) batch.push_back(&image);

    const absl::StatusOr<EagerPeer::Loaded> loaded =
        peer_->Load(model_folder, ImagesPath(), {one.batch, 3, one.height, one.width});
    if (!loaded.ok()) return loaded.status();
    const auto model = model::Model::Load(model_folder, {.intra_op_threads = threads_});
    if (!model.ok()) return model.status();
    const auto first = (*model)->Embed(batch);
    if (!first.ok()) return first.status();

    std::vector<double> ours, peer;
    for (int round = 0; round < one.rounds; ++round) {
      const auto start = std::chrono::steady_clock::now();
      const auto result = (*model)->Embed(batch);
      ours.push_back(Milliseconds(start));
      if (!result.ok()) return result.status();
      const absl::StatusOr<double> took = peer_->Run();
      if (!took.ok()) return took.status();
      peer.push_back(*took);
    }
    Report(one, ours, peer, *loaded);
    Print(PlainRow("embed", absl::StrCat(one.name(), ", largest difference of a descriptor value"),
                   Difference(*first, loaded->descriptors), "1"));
    return absl::OkStatus();
  }

  // The same model and images in int8, beside fp32. After Run, which writes the model.
  absl::Status RunInt8(const EmbedCase& one) const {
    const std::vector<model::PreparedImage> images = Images(one);
    std::vector<const model::PreparedImage*> batch;
    for (const model::PreparedImage& image : images) batch.push_back(&image);
    return CompareInt8(absl::StrCat(folder_, "/", one.model), one.name("int8"), batch, one.rounds, threads_);
  }

  // From nothing to the first embedding; the file is in the page cache.
  absl::Status Load(const std::string& name) {
    const std::string model_folder = absl::StrCat(folder_, "/", name);
    const EmbedCase one{.model = name, .height = 384, .width = 384};
    const std::vector<model::PreparedImage> images = Images(one);
    const model::PreparedImage* const batch[] = {&images[0]};
    const auto start = std::chrono::steady_clock::now();
    const auto model = model::Model::Load(model_folder, {.intra_op_threads = threads_});
    if (!model.ok()) return model.status();
    const double loaded = Milliseconds(start) / 1000;
    const auto result = (*model)->Embed(batch);
    if (!result.ok()) return result.status();
    Print(PlainRow("embed", absl::StrCat("load ", name), loaded, "s"));
    Print(PlainRow("embed", absl::StrCat("load ", name, " and embed one image of 384x384"), Milliseconds(start) / 1000,
                   "s"));
    return absl::OkStatus();
  }

 private:
  std::string ImagesPath() const { return absl::StrCat(folder_, "/images"); }

  // Random images, also written to a file for the peer.
  std::vector<model::PreparedImage> Images(const EmbedCase& one) const {
    std::mt19937 random(kSeed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::ofstream file(ImagesPath(), std::ios::binary);
    std::vector<model::PreparedImage> images(static_cast<size_t>(one.batch));
    for (model::PreparedImage& image : images) {
      std::vector<float> chw(size_t{3} * one.height * one.width);
      for (float& value : chw) value = uniform(random);
      file.write(reinterpret_cast<const char*>(chw.data()), static_cast<std::streamsize>(chw.size() * sizeof(float)));
      image.bucket = "bench";
      image.planes.push_back({one.height, one.width, std::move(chw)});
    }
    return images;
  }

  void Report(const EmbedCase& one, const std::vector<double>& ours, const std::vector<double>& peer,
              const EagerPeer::Loaded& loaded) const {
    const std::string peer_name = absl::StrCat(peer_->name(), ", ", loaded.layout);
    for (const bool best : {false, true}) {
      Row row = PlainRow("embed", best ? absl::StrCat(one.name(), ", best round") : one.name(),
                         best ? Least(ours) : Median(ours), "ms");
      row.higher_is_better = false;
      row.peer = peer_name;
      row.peer_value = best ? Least(peer) : Median(peer);
      row.limit = loaded.gflop / peak_ * 1000;
      Print(row);
    }
    Row row =
        PlainRow("embed", absl::StrCat(one.name(), ", arithmetic"), loaded.gflop / Median(ours) * 1000, "GFLOP/s");
    row.limit = peak_;
    Print(row);
  }

  static double Difference(const std::vector<model::Embedding>& ours, const std::vector<float>& peer) {
    double largest = 0;
    size_t i = 0;
    for (const model::Embedding& embedding : ours) {
      for (const float value : embedding.descriptor) {
        largest = i < peer.size() ? std::max(largest, std::abs(static_cast<double>(value) - peer[i])) : INFINITY;
        ++i;
      }
    }
    return i == peer.size() ? largest : INFINITY;
  }

  const std::string folder_;
  const int threads_;
  EagerPeer* const peer_;
  const double peak_;
};

std::vector<EmbedCase> Cases(bool quick) {
  if (quick)
    return {{.model = "dtop_tiny", .height = 224, .width = 224, .batch = 1, .rounds = 9, .int8 = true, .size = "224"}};
  return {{.model = "vit_b_16", .height = 224, .width = 224, .batch = 1, .rounds = 25, .int8 = true, .size = "224"},
          {.model = "vit_b_16", .height = 224, .width = 224, .batch = 8, .rounds = 9, .int8 = true, .size = "224"},
          {.model = "dtop_r50_vit_b",
           .height = 384,
           .width = 384,
           .batch = 1,
           .rounds = 15,
           .int8 = true,
           .size = "384x384"},
          {.model = "dtop_r50_vit_b", .height = 384, .width = 512, .batch = 1, .rounds = 11, .size = "512x384"},
          {.model = "resnet101_glam", .height = 384, .width = 512, .batch = 1, .rounds = 15, .size = "512x384"}};
}

absl::Status RunAll(const std::string& folder, bool quick) {
  const auto threads = static_cast<int>(std::thread::hardware_concurrency());
  // Before this process has threads of its own.
  const auto peer = EagerPeer::Start(threads);
  if (!peer.ok()) return peer.status();
  PrintMachine("embed");
  EmbedBench bench(folder, threads, peer->get());
  for (const EmbedCase& one : Cases(quick)) {
    const absl::Status status = bench.Run(one);
    if (!status.ok()) return status;
  }
  for (const EmbedCase& one : Cases(quick)) {
    if (!one.int8) continue;
    const absl::Status status = bench.RunInt8(one);
    if (!status.ok()) return status;
  }
  return bench.Load(quick ? "dtop_tiny" : "dtop_r50_vit_b");
}

}  // namespace

int RunEmbed(bool quick) {
  model::UseWholeCpu();
  base::SetLogLevel(base::Severity::kWarning);
  std::string folder = (std::filesystem::temp_directory_path() / "sightline-bench-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const absl::Status status = RunAll(folder, quick);
  std::filesystem::remove_all(folder);
  if (!status.ok()) std::fprintf(stderr, "embed: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}

}  // namespace sightline::bench
