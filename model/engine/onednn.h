// What every use of oneDNN here shares. Only for the .cc files of model/engine: no other header includes dnnl.hpp.
//
// Threading: oneDNN splits a primitive for the number of OpenMP threads that the calling thread has when the primitive
// is made, so that number is part of every key under which one is kept. Scratchpads come from the caller's pool: the
// library's own belong to the thread that made the primitive. Failure: dnnl::error, a std::exception.
#ifndef SIGHTLINE_MODEL_ENGINE_ONEDNN_H_
#define SIGHTLINE_MODEL_ENGINE_ONEDNN_H_

#include <dnnl.hpp>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

#include "model/engine/buffers.h"
#include "model/engine/epilogue.h"

namespace sightline::model::engine {

inline constexpr auto kFloat = dnnl::memory::data_type::f32;

const dnnl::engine& CpuEngine();

// The attributes of a primitive with `epilogue` fused, its scratchpad the caller's.
dnnl::primitive_attr Attributes(const Epilogue& epilogue);

// Weights in the formats that primitives asked for: nearly always one, a second where another size prefers another.
class PackedWeights {
 public:
  // What happens to the plain weights once packed ones are made. Some packed weights carry sums that the library cannot
  // pack anew; theirs must be kept.
  enum class Plain { kDrop, kKeep };

  // Copies `plain`, laid out as `desc`.
  PackedWeights(const void* plain, const dnnl::memory::desc& desc, Plain after = Plain::kDrop);
  // The weights laid out as `desc`, made if they are not there yet.
  const dnnl::memory& In(const dnnl::memory::desc& desc);

 private:
  struct Copy {
    Memory memory;
    dnnl::memory view;
  };
  static Copy Make(const dnnl::memory::desc& desc);
  // A list: views handed out stay where they are.
  std::list<Copy> copies_;
  // The plain weights go when the first packed ones are made, unless a primitive reads them or they are kept.
  bool handed_out_;
};

// A primitive with one input and one output, ready to run.
struct Prepared {
  dnnl::primitive primitive;
  dnnl::memory source;
  dnnl::memory destination;
  dnnl::memory scratch;
  std::unordered_map<int, dnnl::memory> arguments;
};

// Makes a Prepared of `descriptor`, whose weights and bias are those given.
template <class Primitive>
Prepared Prepare(const typename Primitive::primitive_desc& descriptor, const dnnl::memory& weights,
                 const dnnl::memory& bias) {
  Prepared prepared{.primitive = Primitive(descriptor),
                    .source = dnnl::memory(descriptor.src_desc(), CpuEngine(), nullptr),
                    .destination = dnnl::memory(descriptor.dst_desc(), CpuEngine(), nullptr),
                    .scratch = dnnl::memory(descriptor.scratchpad_desc(), CpuEngine(), nullptr),
                    .arguments = {}};
  prepared.arguments = {{DNNL_ARG_SRC, prepared.source},
                        {DNNL_ARG_WEIGHTS, weights},
                        {DNNL_ARG_DST, prepared.destination},
                        {DNNL_ARG_SCRATCHPAD, prepared.scratch}};
  if (bias) prepared.arguments.emplace(DNNL_ARG_BIAS, bias);
  return prepared;
}

// Runs it to its end on the threads of the caller. `source` and `destination` are laid out as the descriptor says.
void Run(Prepared& prepared, const std::shared_ptr<BufferPool>& pool, const void* source, void* destination);

// The primitives of one layer by `Key`, those last used: images of ever new sizes must not fill the memory.
template <class Key>
class PreparedCache {
 public:
  template <class Maker>
  Prepared& Get(const Key& key, Maker&& make) {
    for (auto item = items_.begin(); item != items_.end(); ++item) {
      if (item->first == key) {
        items_.splice(items_.begin(), items_, item);
        return items_.front().second;
      }
    }
    items_.emplace_front(key, make());
    if (items_.size() > kMost) items_.pop_back();
    return items_.front().second;
  }

 private:
  // Eleven aspect ratios at three scales.
  static constexpr size_t kMost = 48;
  std::list<std::pair<Key, Prepared>> items_;
};

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_ONEDNN_H_
