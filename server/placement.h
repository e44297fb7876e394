// Placement: where the models of a server compute, and in which numbers.
//
// A model is loaded once for each device. On a card it computes in bfloat16, which the embedding space does not know
// of: its descriptors are compared with those of the CPU. int8 is the CPU's; a model that is to compute in it is loaded
// there, whatever the devices are.
//
// Threading: a value. Failure: none.
//
//   for (const model::LoadOptions& load : placement.LoadsOf("dtop_tiny", options)) ...
#ifndef SIGHTLINE_SERVER_PLACEMENT_H_
#define SIGHTLINE_SERVER_PLACEMENT_H_

#include <string>
#include <vector>

#include "model/model.h"

namespace sightline::server {

struct Placement {
  std::vector<model::Device> devices = {model::Device{}};
  bool or_cpu = false;                        // where none of the devices takes a model, or all are lost, the CPU does
  std::vector<std::string> int8_models = {};  // those that compute in int8, by name; "all": every one

  // How the model of that name is loaded, once for each. `options` says the rest.
  std::vector<model::LoadOptions> LoadsOf(const std::string& name, const model::LoadOptions& options) const;

  // How it is loaded where no device takes it.
  static model::LoadOptions OnCpu(model::LoadOptions options);
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_PLACEMENT_H_
