// The instruction set that oneDNN uses on this machine.
//
// Threading: any thread. Failure: none.
#ifndef SIGHTLINE_MODEL_ENGINE_CPU_H_
#define SIGHTLINE_MODEL_ENGINE_CPU_H_

#include "absl/strings/string_view.h"

namespace sightline::model::engine {

// "AVX512_CORE_VNNI" and so on.
absl::string_view OneDnnLevel();

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_CPU_H_
