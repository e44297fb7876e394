// How many images a second become embeddings on a card, through the server's batcher, beside PyTorch eager on the same
// card in the same run (tests/bench/embed_reference.py: bfloat16, its best layout, from main memory to main memory):
// one image after the other, then batches of 32 with three of them in the queue. Rounds of ours and the peer's
// alternate, and the median counts.
//
//   sightline-gpu-embed-benchmark [MODEL SIDE SECONDS DEVICE]    dtop_r50_vit_b 384 3 cuda:0 unless given
//
// On `cpu` both compute in float32. Ends with 1 where descriptors differ from the peer's. Lines that begin with
// `figure` are for programs: a name, a number and its unit.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "model/device/device.h"
#include "model/model.h"
#include "server/batcher.h"
#include "server/request.h"
#include "tests/bench/embed_model.h"
#include "tests/bench/embed_peer.h"
#include "tests/gpu/smooth_images.h"

namespace sightline::bench {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kBatch = 32;
constexpr int kQueued = 3;  // batches
constexpr int kClients = 8;
constexpr int kRounds = 3;
// Both in bfloat16, with other kernels; a network that is another is far beyond it.
constexpr double kMostOff = 1e-2;

double Seconds(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

struct Asked {
  std::string model = "dtop_r50_vit_b";
  int side = 384;
  double seconds = 3;  // of each measurement
  model::Device device = {.cuda = true};
};

// Counts images under way for one client, which keeps `most` of them.
class Window {
 public:
  explicit Window(int most) : free_(most), most_(most) {}

  void Enter() ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    while (free_ == 0) changed_.Wait(mutex_);
    --free_;
  }
  void Leave(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    ++free_;
    ++done_;
    if (!status.ok()) status_ = status;
    changed_.NotifyAll();
  }
  // Until nothing is under way; what went wrong on the way.
  absl::Status Drain() ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    while (free_ < most_) changed_.Wait(mutex_);
    return status_;
  }
  int64_t done() const ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    return done_;
  }

 private:
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  int free_ ABSL_GUARDED_BY(mutex_);
  const int most_;
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Images a second of `clients` threads that keep `under_way` images each in the batcher, for so long.
absl::StatusOr<double> Rate(server::Batcher& batcher, const std::vector<model::PreparedImage>& images, int clients,
                            int under_way, double seconds) {
  std::vector<std::unique_ptr<Window>> windows;
  for (int i = 0; i < clients; ++i) windows.push_back(std::make_unique<Window>(under_way));
  std::vector<std::thread> threads;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] {
      Window& window = *windows[static_cast<size_t>(i)];
      for (size_t next = static_cast<size_t>(i); Seconds(begin) < seconds; ++next) {
        model::PreparedImage image = images[next % images.size()];
        window.Enter();
        batcher.Submit(
            std::make_shared<server::Request>(base::Clock::Real(),
                                              base::Clock::Real().Steady() + std::chrono::hours(1)),
            std::move(image), server::Priority::kInteractive,
            [&window](const absl::StatusOr<model::Embedding>& embedding) { window.Leave(embedding.status()); });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t done = 0;
  const double took = Seconds(begin);
  for (const auto& window : windows) done += window->done();
  for (const auto& window : windows) SIGHTLINE_RETURN_IF_ERROR(window->Drain());
  return static_cast<double>(done) / took;
}

class EmbedBenchmark {
 public:
  EmbedBenchmark(Asked asked, std::string folder, std::shared_ptr<model::Model> model, std::unique_ptr<EagerPeer> peer)
      : asked_(std::move(asked)), folder_(std::move(folder)), model_(std::move(model)), peer_(std::move(peer)) {}

  absl::Status Run(int batch) {
    const std::vector<model::PreparedImage> images = Images(batch);
    SIGHTLINE_ASSIGN_OR_RETURN(const EagerPeer::Loaded loaded,
                               peer_->Load(folder_, ImagesPath(), {batch, 3, asked_.side, asked_.side}));
    SIGHTLINE_RETURN_IF_ERROR(Compare(images, loaded.descriptors));
    int64_t batches = 0, in_batches = 0;
    server::Batcher batcher(model_, {.max_batch = batch,
                                     .max_queue = static_cast<size_t>((kQueued + 1) * batch),
                                     .on_batch = [&](int size, double, double) {
                                       ++batches;
                                       in_batches += size;
                                     }});
    const int clients = batch == 1 ? 1 : kClients, under_way = batch == 1 ? 1 : kQueued * batch / kClients;
    SIGHTLINE_RETURN_IF_ERROR(Rate(batcher, images, clients, under_way, asked_.seconds / 2).status());
    std::vector<double> ours, peer;
    for (int round = 0; round < kRounds; ++round) {
      SIGHTLINE_ASSIGN_OR_RETURN(const double rate, Rate(batcher, images, clients, under_way, asked_.seconds));
      ours.push_back(rate);
      SIGHTLINE_ASSIGN_OR_RETURN(const double peers, PeerRate(batch));
      peer.push_back(peers);
    }
    batcher.Stop();
    std::printf("%s %dx%d, batches of %d (%.1f on average), %s: %.0f images/s; %s, %s: %.0f images/s\n",
                asked_.model.c_str(), asked_.side, asked_.side, batch,
                static_cast<double>(in_batches) / static_cast<double>(std::max<int64_t>(batches, 1)),
                model_->info().numeric.c_str(), Median(ours), peer_->name().c_str(), loaded.layout.c_str(),
                Median(peer));
    std::printf("figure embed_batch_%d %.0f images/s\n", batch, Median(ours));
    std::printf("figure embed_batch_%d_ratio %.2f x\n", batch, Median(ours) / Median(peer));
    return absl::OkStatus();
  }

 private:
  std::string ImagesPath() const { return folder_ + "/images"; }

  // Also written to a file for the peer.
  std::vector<model::PreparedImage> Images(int count) const {
    std::mt19937 random(20221018);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::ofstream file(ImagesPath(), std::ios::binary);
    std::vector<model::PreparedImage> images(static_cast<size_t>(count));
    for (model::PreparedImage& image : images) {
      std::vector<float> chw(size_t{3} * static_cast<size_t>(asked_.side * asked_.side));
      for (float& value : chw) value = uniform(random);
      file.write(reinterpret_cast<const char*>(chw.data()), static_cast<std::streamsize>(chw.size() * sizeof(float)));
      image.bucket = absl::StrCat(asked_.side, "x", asked_.side);
      image.planes.push_back({asked_.side, asked_.side, std::move(chw)});
    }
    return images;
  }

  absl::Status Compare(const std::vector<model::PreparedImage>& images, const std::vector<float>& theirs) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<model::Embedding> ours, model_->Embed(model::Pointers(images)));
    const size_t dim = ours.front().descriptor.size();
    if (theirs.size() != dim * ours.size()) return absl::InternalError("the peer gave another number of values");
    for (size_t i = 0; i < ours.size(); ++i) {
      const std::vector<float> peer(theirs.begin() + static_cast<ptrdiff_t>(i * dim),
                                    theirs.begin() + static_cast<ptrdiff_t>((i + 1) * dim));
      const double off = model::CosineDistance(ours[i].descriptor, peer);
      if (!(off <= kMostOff)) {
        return absl::InternalError(absl::StrCat("image ", i, " is ", off, " from the peer's, the limit is ", kMostOff,
                                                ". One of the two computes something else."));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<double> PeerRate(int batch) {
    std::vector<double> milliseconds;
    const Clock::time_point begin = Clock::now();
    while (milliseconds.size() < 3 || Seconds(begin) < asked_.seconds) {
      SIGHTLINE_ASSIGN_OR_RETURN(const double took, peer_->Run());
      milliseconds.push_back(took);
    }
    return 1000 * batch / Median(milliseconds);
  }

  const Asked asked_;
  const std::string folder_;
  const std::shared_ptr<model::Model> model_;
  const std::unique_ptr<EagerPeer> peer_;
};

absl::Status Run(const Asked& asked) {
  std::string folder = std::filesystem::temp_directory_path() / "sightline_embed_XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return absl::InternalError("there is no room for a temporary folder");
  const absl::Cleanup remove = [&folder] { std::filesystem::remove_all(folder); };
  json description = json::parse(std::ifstream(absl::StrCat(SIGHTLINE_ZOO, "/", asked.model, "/model.json")));
  description["preprocess"]["scales"] = {1.0};
  description["tokens"]["projection"] = {{"type", "orthonormal"}, {"seed", 1}};
  SIGHTLINE_RETURN_IF_ERROR(WriteSeededModel(description.dump(1), folder));
  SIGHTLINE_ASSIGN_OR_RETURN(
      std::unique_ptr<model::Model> model,
      model::Model::Load(folder, {.numeric = asked.device.cuda ? model::Numeric::kBf16 : model::Numeric::kFp32,
                                  .device = asked.device}));
  const int threads = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<EagerPeer> peer,
                             EagerPeer::Start(threads, asked.device.cuda ? asked.device.Name() : ""));
  EmbedBenchmark benchmark(asked, folder, std::move(model), std::move(peer));
  SIGHTLINE_RETURN_IF_ERROR(benchmark.Run(1));
  return benchmark.Run(kBatch);
}

absl::StatusOr<Asked> Parse(int argc, char** argv) {
  Asked asked;
  if (argc > 1) asked.model = argv[1];
  if (argc > 2) asked.side = std::clamp(std::atoi(argv[2]), 32, 2048);
  if (argc > 3) asked.seconds = std::clamp(std::atof(argv[3]), 0.01, 60.0);
  if (argc > 4) {
    SIGHTLINE_ASSIGN_OR_RETURN(asked.device, model::ParseDevice(argv[4]));
  }
  return asked;
}

}  // namespace
}  // namespace sightline::bench

int main(int argc, char** argv) {
  const auto asked = sightline::bench::Parse(argc, argv);
  const absl::Status status = asked.ok() ? sightline::bench::Run(*asked) : asked.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
