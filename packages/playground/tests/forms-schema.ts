import type {JsonSchema} from '@unspool/client'

/** What Pydantic 2 writes for a model with each kind of field. */
export const everything: JsonSchema = {
  $defs: {
    Colour: {enum: ['red', 'green'], title: 'Colour', type: 'string'},
    Cat: {
      properties: {
        kind: {const: 'cat', title: 'Kind', type: 'string'},
        lives: {default: 9, title: 'Lives', type: 'integer'}
      },
      required: ['kind'],
      title: 'Cat',
      type: 'object'
    },
    Dog: {
      properties: {kind: {const: 'dog', title: 'Kind', type: 'string'}, name: {title: 'Name', type: 'string'}},
      required: ['kind', 'name'],
      title: 'Dog',
      type: 'object'
    },
    Address: {
      properties: {
        street: {title: 'Street', type: 'string'},
        zip: {pattern: '^\\d{5}$', title: 'Zip', type: 'string'}
      },
      required: ['street', 'zip'],
      title: 'Address',
      type: 'object'
    },
    Tree: {
      properties: {label: {type: 'string'}, children: {items: {$ref: '#/$defs/Tree'}, type: 'array'}},
      title: 'Tree',
      type: 'object'
    }
  },
  description: 'A thing.',
  properties: {
    topic: {description: 'What it is about', minLength: 1, title: 'Topic', type: 'string'},
    n: {default: 3, maximum: 10, minimum: 1, title: 'N', type: 'integer'},
    temperature: {anyOf: [{type: 'number'}, {type: 'null'}], default: null, title: 'Temperature'},
    colour: {$ref: '#/$defs/Colour', default: 'red'},
    address: {$ref: '#/$defs/Address'},
    former: {default: [], items: {$ref: '#/$defs/Address'}, title: 'Former', type: 'array'},
    tags: {default: [], items: {type: 'string'}, title: 'Tags', type: 'array', uniqueItems: true},
    extra: {additionalProperties: true, default: {}, title: 'Extra', type: 'object'},
    scores: {additionalProperties: {type: 'number'}, default: {}, title: 'Scores', type: 'object'},
    pet: {
      discriminator: {mapping: {cat: '#/$defs/Cat', dog: '#/$defs/Dog'}, propertyName: 'kind'},
      oneOf: [{$ref: '#/$defs/Cat'}, {$ref: '#/$defs/Dog'}],
      title: 'Pet'
    },
    either: {anyOf: [{type: 'integer'}, {type: 'string'}, {type: 'null'}], default: null, title: 'Either'},
    anything: {default: null, title: 'Anything'},
    literal: {default: 'x', enum: ['x', 'y', 1], title: 'Literal'},
    pair: {
      default: [1, 'a'],
      maxItems: 2,
      minItems: 2,
      prefixItems: [{type: 'integer'}, {type: 'string'}],
      type: 'array'
    },
    flag: {default: false, title: 'Flag', type: 'boolean'},
    maybe: {anyOf: [{type: 'boolean'}, {type: 'null'}], default: null, title: 'Maybe'},
    tree: {$ref: '#/$defs/Tree'}
  },
  required: ['topic', 'address', 'pet'],
  title: 'Thing',
  type: 'object'
}
