// DeviceNetwork: a network that computes on a device with its own memory, batch after batch.
//
// While the device works on one batch, the next is put together in main memory and copied there. Small batches of a
// shape that has come before are played from a recording (a CUDA graph): a network is hundreds of small operations, and
// starting them one by one takes longer than doing them.
//
// A batch that the device has no memory for is cut in halves, which are computed one after the other; an image that
// alone is too large is refused.
//
// Threading: one thread at a time. Ownership: owns the network, which is settled in the type it computes in (its
// parameters in float32 are gone), and the device's buffers. Batches must not outlive it. Failure: Status;
// RESOURCE_EXHAUSTED for an image that does not fit, INTERNAL when the device fails.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto network, DeviceNetwork::Make(...));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto first, network->Start(images));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto second, network->Start(more_images));
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Embedding> embeddings, first->Finish());
#ifndef SIGHTLINE_MODEL_DEVICE_DEVICE_NETWORK_H_
#define SIGHTLINE_MODEL_DEVICE_DEVICE_NETWORK_H_

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/config/model_config.h"
#include "model/device/accelerator.h"
#include "model/inference.h"
#include "model/model.h"
#include "model/registry.h"

namespace sightline::model {

class DeviceNetwork {
 public:
  struct Options {
    torch::ScalarType type = torch::kBFloat16;
    // A shape is recorded when it has come so often, for batches up to `most_recorded_images`; the `most_recordings`
    // used last are kept, because each keeps the memory of a whole pass.
    int recorded_after = 2;
    int most_recorded_images = 4;
    size_t most_recordings = 8;
  };

  // Batches that may be under way at once.
  static constexpr int kDepth = 2;

  class Batch : public Model::Batch {
   public:
    ~Batch() override;
    absl::StatusOr<std::vector<Embedding>> Finish() override;

   private:
    friend class DeviceNetwork;
    Batch(DeviceNetwork* network, size_t slot) : network_(network), slot_(slot) {}

    DeviceNetwork* network_;
    const size_t slot_;
    std::unique_ptr<Accelerator::Point> computed_;  // null once `embeddings_` are there
    InferenceResult result_;                        // in main memory, behind `computed_`
    std::vector<Embedding> embeddings_;
  };

  // `config` must stay as long as this does. `projection` (D, form.dim), on the CPU.
  DeviceNetwork(std::shared_ptr<Network> network, const torch::Tensor& projection, const TokensConfig& form,
                const ModelConfig& config, std::unique_ptr<Accelerator> accelerator, const Options& options);

  // `images` are of one bucket. Fewer than kDepth batches must be under way; they are finished in the order they began.
  absl::StatusOr<std::unique_ptr<Batch>> Start(absl::Span<const PreparedImage* const> images);

  // Of the shapes that are recorded.
  size_t recordings() const;

 private:
  // Buffers of one batch under way. They grow to what the largest needed.
  struct Slot {
    std::vector<torch::Tensor> host_planes, planes;  // of each scale
    torch::Tensor descriptors, tokens, centres, weights;
    bool used = false;
  };
  // What is known of batches of one size of images and one number of them.
  struct Shape {
    std::string name;
    int uses = 0;
    bool cannot_record = false;
    std::unique_ptr<Accelerator::Recording> recording;
    std::vector<torch::Tensor> planes;  // that the recording reads
    InferenceResult result;             // that it writes
  };

  // May throw. Leaves the batch's `computed_` set.
  void Launch(absl::Span<const PreparedImage* const> images, Batch* batch);
  InferenceResult Compute(const std::vector<torch::Tensor>& planes, Shape* shape);
  void Record(Shape* shape, const std::vector<torch::Tensor>& planes);
  void Download(const InferenceResult& result, Batch* batch);
  // The images half by half, each waited for.
  absl::StatusOr<std::vector<Embedding>> ComputeInParts(absl::Span<const PreparedImage* const> images, Batch* batch);
  void GiveMemoryBack();
  Shape& ShapeOf(absl::Span<const PreparedImage* const> images);
  // The first `values` of `buffer`, which is made larger where that is needed.
  torch::Tensor Host(torch::Tensor* buffer, torch::IntArrayRef sizes);
  torch::Tensor OnDevice(torch::Tensor* buffer, torch::IntArrayRef sizes);

  const std::unique_ptr<Accelerator> accelerator_;
  const Options options_;
  const TokensConfig form_;
  const ModelConfig& config_;
  const std::shared_ptr<Network> network_;
  const torch::Tensor projection_;
  std::array<Slot, kDepth> slots_;
  std::list<Shape> shapes_;  // used last first
  bool said_full_ = false;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_DEVICE_DEVICE_NETWORK_H_
