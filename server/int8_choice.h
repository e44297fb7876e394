// Which of the models a server loads compute in int8.
//
// Threading: the result may be called from any thread. Ownership: keeps copies. Failure: that of `load`.
//
//   App::Start(options, WithInt8(options.int8_models, &model::Model::Load), blas);
#ifndef SIGHTLINE_SERVER_INT8_CHOICE_H_
#define SIGHTLINE_SERVER_INT8_CHOICE_H_

#include <string>
#include <vector>

#include "server/app.h"

namespace sightline::server {

// `load` that asks for int8 for the models of these names, which are those of their folders; "all" names every model.
App::LoadModel WithInt8(std::vector<std::string> names, App::LoadModel load);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_INT8_CHOICE_H_
