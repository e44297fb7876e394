// Model: an image in, a descriptor and patch tokens out.
//
// A model directory holds `model.json` (architecture, preprocessing, outputs, provenance) and `weights.safetensors`.
// This header hides LibTorch: who includes it compiles in no time.
//
// Threading: Load, info and Prepare may be called from any thread; Embed from one thread at a time (the batcher's).
// Ownership: plain values; the model keeps nothing of what it is given.
// Failure: Status. Nothing of LibTorch's exceptions gets out.
//
//   auto model = Model::Load("model/zoo/dtop_tiny", {.allow_untrained = true});
//   auto prepared = (*model)->Prepare(image, std::nullopt);
//   const PreparedImage* batch[] = {&*prepared};
//   auto embeddings = (*model)->Embed(batch);
#ifndef SIGHTLINE_MODEL_MODEL_H_
#define SIGHTLINE_MODEL_MODEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status.h"
#include "model/calibration/calibration.h"
#include "model/device/device.h"
#include "model/image/geometry.h"
#include "model/image/image.h"
#include "model/numeric.h"
#include "model/rerank_defaults.h"
#include "model/tokens/precision.h"

namespace sightline::model {

// A height x width grid of local features, row-major and L2-normalised. In int8, token t is scales[t] * values[t * dim
// + i]; in float16 and float32 it is floats[t * dim + i], of which float16 holds what that type can. Beside int8 and
// float16, importance and centre hold what float16 can too.
struct PatchTokens {
  int height = 0;
  int width = 0;
  int dim = 0;
  std::vector<int8_t> values;     // height * width * dim in int8, else empty
  std::vector<float> scales;      // height * width in int8, else empty
  std::vector<float> importance;  // height * width, at least 0, sums to 1
  std::vector<float> centre;      // dim, L2-normalised
  TokenPrecision precision = TokenPrecision::kInt8;
  std::vector<float> floats = {};  // height * width * dim in float16 and float32, else empty
};

struct Embedding {
  std::vector<float> descriptor;  // descriptor_dim values, L2-normalised
  PatchTokens tokens;
};

struct ModelInfo {
  std::string name;
  std::string architecture;     // "hybrid_vit + dtop"
  std::string embedding_space;  // sha256 over all that decides a descriptor, lower-case hex
  std::string token_space;      // the same for tokens
  // For a model that ends with a whitening: the embedding space of the same model without it, whose descriptors Whiten
  // takes. Empty otherwise.
  std::string bare_space;
  std::string numeric;     // "fp32/cpu", "int8/cpu", "bf16/cuda:0"
  std::string provenance;  // where the weights come from, in words
  int descriptor_dim = 0;
  int token_dim = 0;
  int max_token_cells = 0;
  int64_t parameters = 0;
  int image_size = 0;         // the longest side after resizing, pixels
  std::vector<float> scales;  // an image is embedded at each of them
  bool untrained = false;     // runs from a seeded initialisation
  RerankDefaults rerank;      // what a search does that does not say
};

struct LoadOptions {
  // Run from a seeded initialisation when the directory has no weights file. Never silently: info().untrained says so.
  bool allow_untrained = false;
  // Threads inside one operation of LibTorch, OpenBLAS and oneDNN; 0 leaves LibTorch's choice, all cores. They belong
  // to the thread that calls Embed: every such thread has a team of its own, so models that run at the same time should
  // have the cores divided between them.
  int intra_op_threads = 0;
  // kInt8 is a wish: on a machine without AVX-512 VNNI the model runs in fp32, and convolutions do where the directory
  // has no calibration.json. The log says so, and info().numeric.
  Numeric numeric = Numeric::kFp32;
  // Where it computes. A card does not know kInt8, nor a CPU kBf16 and kFp16.
  Device device = {};
  // Patch tokens as the backbone gives them: not projected, in float32. For fitting a projection; info() describes the
  // model as its directory does.
  bool whole_tokens = false;
  // Watch the inputs of convolutions, for MeasuredCalibration. Slower; only in fp32.
  bool observe = false;
};

// An image resized and normalised for every scale of one model.
class PreparedImage {
 public:
  struct Plane {
    int height = 0;
    int width = 0;
    std::vector<float> chw;  // 3 * height * width, normalised RGB
  };
  std::vector<Plane> planes;  // one per scale
  // Only images of equal bucket can share a batch.
  std::string bucket;
};

class Model {
 public:
  // Images that a device works on.
  class Batch {
   public:
    virtual ~Batch() = default;
    // Waits for it. Once.
    virtual absl::StatusOr<std::vector<Embedding>> Finish() = 0;
  };

  virtual ~Model() = default;

  // Reads a model directory. Every missing, unexpected and wrongly shaped tensor is reported in one error.
  static absl::StatusOr<std::unique_ptr<Model>> Load(const std::string& directory, const LoadOptions& options);

  virtual const ModelInfo& info() const = 0;

  // Crops (a box in pixels or fractions of the image), resizes as model.json says, normalises.
  virtual absl::StatusOr<PreparedImage> Prepare(const image::Image& image,
                                                const std::optional<image::CropBox>& crop) const = 0;

  // The longest side that a decoded image (or the crop of one) of width x height pixels needs, for the decoder's
  // reduced sizes.
  virtual int wanted_side(int width, int height) const = 0;

  // The part of an image (or the crop of one) of width x height pixels that the patch tokens cover, as fractions of it.
  virtual image::CropBox SeenPart(int, int) const { return {}; }

  // Blank images to run before the first request does, cheapest first: the smallest the network takes, which touches
  // every weight, then one of each bucket.
  virtual std::vector<PreparedImage> WarmUpImages() const { return {}; }

  // From a descriptor of info().bare_space to the model's own, as if the image had been embedded again: the whitening
  // is a linear step. FAILED_PRECONDITION for a model that does not end with one. From any thread.
  virtual absl::StatusOr<std::vector<float>> Whiten(absl::Span<const float> descriptor) const = 0;

  // One embedding per image of the batch, in order. All must have the same bucket.
  virtual absl::StatusOr<std::vector<Embedding>> Embed(absl::Span<const PreparedImage* const> batch) = 0;

  // The same without waiting, so that a device has the next batch before it is done with this one: at most `depth`
  // batches, which are finished in the order they began, on the thread that begins them. A model on a CPU computes
  // here.
  virtual absl::StatusOr<std::unique_ptr<Batch>> Start(absl::Span<const PreparedImage* const> batch) {
    SIGHTLINE_ASSIGN_OR_RETURN(std::vector<Embedding> embeddings, Embed(batch));
    return std::make_unique<Computed>(std::move(embeddings));
  }
  virtual int depth() const { return 1; }

  // The scales for int8 that the images embedded so far ask for. FAILED_PRECONDITION when there were none, or when the
  // model was not loaded to observe them.
  virtual absl::StatusOr<Calibration> MeasuredCalibration() const {
    return base::FailedPrecondition("NOT_OBSERVING",
                                    "the model was not loaded to observe its inputs. Load it with observe set.");
  }

 private:
  // A batch that was computed when it began.
  class Computed final : public Batch {
   public:
    explicit Computed(std::vector<Embedding> embeddings) : embeddings_(std::move(embeddings)) {}
    absl::StatusOr<std::vector<Embedding>> Finish() override { return std::move(embeddings_); }

   private:
    std::vector<Embedding> embeddings_;
  };
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_MODEL_H_
