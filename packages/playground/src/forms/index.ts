export {SchemaForm, type SchemaFormProps} from './SchemaForm.js'
